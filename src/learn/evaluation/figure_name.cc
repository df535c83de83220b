// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/figure_name.h"

#include <array>

#include "base/i18n.h"

namespace qiao::learn {
namespace {

// Their English words are the keys.
constexpr std::array kFigures = {Text::kFigureAccuracy,
                                 Text::kFigureAgainst,
                                 Text::kFigureBitsPerCharacter,
                                 Text::kFigureBundle,
                                 Text::kFigureBytes,
                                 Text::kFigureCalibrationError,
                                 Text::kFigureCharacters,
                                 Text::kFigureCharactersLeftOut,
                                 Text::kFigureConfidence,
                                 Text::kFigureData,
                                 Text::kFigureDifference,
                                 Text::kFigureEntityF1,
                                 Text::kFigureError,
                                 Text::kFigureExpected,
                                 Text::kFigureF1,
                                 Text::kFigureFirstAlone,
                                 Text::kFigureGiven,
                                 Text::kFigureHead,
                                 Text::kFigureInScope,
                                 Text::kFigureLabel,
                                 Text::kFigureLanguage,
                                 Text::kFigureLatency,
                                 Text::kFigureLength,
                                 Text::kFigureLoss,
                                 Text::kFigureMacroF1,
                                 Text::kFigureMae,
                                 Text::kFigureN,
                                 Text::kFigureName,
                                 Text::kFigureOutOfScope,
                                 Text::kFigurePValue,
                                 Text::kFigurePearson,
                                 Text::kFigurePerplexity,
                                 Text::kFigurePrecision,
                                 Text::kFigureR2,
                                 Text::kFigureRecall,
                                 Text::kFigureRmse,
                                 Text::kFigureSecondAlone,
                                 Text::kFigureSeconds,
                                 Text::kFigureSeed,
                                 Text::kFigureSlice,
                                 Text::kFigureSpearman,
                                 Text::kFigureTexts,
                                 Text::kFigureThreshold,
                                 Text::kFigureTokensPerSecond,
                                 Text::kFigureUnknownLabels};

}  // namespace

std::string figure_name(Language language, std::string_view key) {
  for (const Text figure : kFigures) {
    if (tr(Language::kEnglish, figure) == key) return tr(language, figure);
  }
  return std::string(key);
}

}  // namespace qiao::learn
