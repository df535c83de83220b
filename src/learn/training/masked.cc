// SPDX-License-Identifier: Apache-2.0
#include "learn/training/masked.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "base/i18n.h"
#include "learn/data/token_corpus.h"
#include "learn/files/base_model.h"
#include "learn/files/encoder_bundle.h"
#include "learn/models/masked_model.h"
#include "learn/tokenizers/wordpiece_codec.h"
#include "learn/training/precision.h"
#include "learn/training/seeds.h"
#include "text/bert_words.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kLookRows = 640;    // of the held-out text, at each look
constexpr std::int64_t kAllRows = 20'000;  // at the end
constexpr std::size_t kPiecesMax = 1 << 17;

// What a run begins with.
struct MaskedStart {
  model::WordPiece tokenizer;
  EncoderShape shape;
  MaskedModel model;
  MaskTokens known;
  TokenCorpus corpus;
  Json origin;  // the base, or null
};

class MaskedPretrainer final : public Learner {
 public:
  MaskedPretrainer(Disk& disk, const MaskedOptions& options, Progress& progress,
                   const std::atomic<bool>& stop, Ranks& ranks, MaskedStart start)
      : disk_(disk),
        options_(options),
        ranks_(ranks),
        start_(std::move(start)),
        optimiser_(learning_weights(start_.model), adam_options(options)),
        loop_(disk, options, options.context, *this, ranks, optimiser_, progress, stop) {}

  Result<Json> run() {
    options_.bfloat16 = options_.bfloat16 && has_bfloat16();
    QIAO_TRY(loop_.run(identity()));
    if (!ranks_.first()) return Json();
    QIAO_TRY(load_tensors(loop_.folder() + "/model.safetensors", weights_of(start_.model)));
    const Judged judged = judge(kAllRows);
    const Json made = card(judged);
    QIAO_TRY(save(loop_.folder(), made));
    QIAO_TRY(loop_.publish());
    return made;
  }

  // The masks of a step are those of its whole batch, whoever computes which part of it.
  Result<double> add_gradients(std::int64_t step, std::int64_t begin, std::int64_t end) override {
    start_.model->train();
    Rng rng(mix_seed(static_cast<std::uint64_t>(options_.seed), static_cast<std::uint64_t>(step)));
    std::vector<std::size_t> firsts;
    const std::size_t room = start_.corpus.train.size() - pieces() + 1;
    for (std::int64_t i = 0; i < options_.batch; ++i) firsts.push_back(rng.below(room));
    const MaskedRows rows = masked_rows(start_.corpus.train, firsts, options_.context, start_.known,
                                        options_.rules, rng);
    const std::int64_t stride = options_.at_once > 0 ? options_.at_once : options_.batch;
    double sum = 0;
    for (std::int64_t at = begin; at < end; at += stride) {
      const MaskedRows some = part(rows, at, std::min(at + stride, end));
      if (some.places.numel() == 0) continue;
      const double share = double(some.places.numel()) / double(rows.places.numel());
      const torch::Tensor loss = loss_of(some) * share;
      loss.backward();
      sum += loss.item<double>();
    }
    return sum;
  }

  double held_out_loss(bool all) override { return judge(all ? kAllRows : kLookRows).loss; }

  Status keep(const std::string& folder) override { return save(folder, Json::object()); }

  // A piece of held-out text with what the model reads in its gaps.
  Result<std::optional<std::string>> show() override {
    constexpr std::int64_t kShown = 26;
    const torch::NoGradGuard no_grad;
    start_.model->eval();
    Rng rng(static_cast<std::uint64_t>(options_.seed));
    MaskRules rules = options_.rules;
    rules.as_mask = 1;
    const std::int64_t tokens = std::min(options_.context, kShown);
    const MaskedRows row =
        masked_rows(start_.corpus.held_out, {0}, tokens, start_.known, rules, rng);
    const torch::Tensor guessed = start_.model(row.ids, row.places).argmax(-1);
    std::string line;
    std::int64_t next = 0;
    for (std::int64_t i = 1; i + 1 < tokens; ++i) {
      const bool hidden = next < row.places.numel() && row.places[next].item<std::int64_t>() == i;
      const std::int64_t id = (hidden ? guessed[next] : row.ids[0][i]).item<std::int64_t>();
      const std::string& piece = start_.tokenizer.pieces()[static_cast<std::size_t>(id)];
      line += hidden ? "[" + piece + "]" : piece;
      next += hidden ? 1 : 0;
    }
    return std::optional<std::string>(std::move(line));
  }

 private:
  struct Judged {
    double loss = 0;
    double accuracy = 0;
  };

  static std::vector<LearningWeight> learning_weights(const MaskedModel& model) {
    std::vector<LearningWeight> out;
    for (const auto& [name, tensor] : weights_of(model)) out.push_back({name, tensor});
    return out;
  }

  static AdamOptions adam_options(const MaskedOptions& options) {
    AdamOptions adam;
    adam.weight_decay = options.weight_decay;
    adam.average = options.average;
    return adam;
  }

  [[nodiscard]] Json identity() const {
    return {{"text", start_.corpus.sha256},
            {"base", start_.origin},
            {"tokenizer", sha256_hex(model::tokenizer_json(start_.tokenizer))},
            {"shape", config_of_shape(start_.shape)},
            {"context", options_.context},
            {"at_once", options_.at_once},
            {"weight_decay", options_.weight_decay},
            {"dropout", options_.dropout},
            {"held_out", options_.held_out},
            {"mask_share", options_.rules.share},
            {"whole_words", options_.rules.whole_words},
            {"chinese_words", options_.rules.chinese_words},
            {"bfloat16", options_.bfloat16}};
  }

  [[nodiscard]] std::size_t pieces() const {
    return static_cast<std::size_t>(options_.context - 2);
  }

  // The rows [begin, end) alone.
  static MaskedRows part(const MaskedRows& rows, std::int64_t begin, std::int64_t end) {
    const std::int64_t tokens = rows.ids.size(1);
    const torch::Tensor mine =
        rows.places.ge(begin * tokens).logical_and(rows.places.lt(end * tokens));
    return {rows.ids.narrow(0, begin, end - begin),
            rows.places.masked_select(mine) - begin * tokens, rows.targets.masked_select(mine)};
  }

  torch::Tensor loss_of(const MaskedRows& rows) {
    const Bfloat16Scope scope(options_.bfloat16);
    const torch::Tensor scores = start_.model(rows.ids, rows.places).to(torch::kFloat);
    return torch::nn::functional::cross_entropy(scores, rows.targets.to(scores.device()));
  }

  // Over at most `rows_max` rows spread over the held-out text, always with the same gaps.
  Judged judge(std::int64_t rows_max) {
    const torch::NoGradGuard no_grad;
    start_.model->eval();
    Rng rng(static_cast<std::uint64_t>(options_.seed));
    const std::size_t rows = start_.corpus.held_out.size() / pieces();
    const auto most = static_cast<std::size_t>(rows_max);
    const std::size_t stride = (rows + most - 1) / most;
    Judged judged;
    double count = 0;
    std::vector<std::size_t> firsts;
    for (std::size_t i = 0; i < rows; i += stride) {
      firsts.push_back(i * pieces());
      if (static_cast<std::int64_t>(firsts.size()) < options_.batch && i + stride < rows) continue;
      const MaskedRows some = masked_rows(start_.corpus.held_out, std::exchange(firsts, {}),
                                          options_.context, start_.known, options_.rules, rng);
      if (some.places.numel() == 0) continue;  // nothing but what the vocabulary lacks
      const Bfloat16Scope scope(options_.bfloat16);
      const torch::Tensor scores = start_.model(some.ids, some.places).cpu().to(torch::kFloat);
      const double places = double(some.places.numel());
      judged.loss +=
          torch::nn::functional::cross_entropy(scores, some.targets).item<double>() * places;
      judged.accuracy += double(scores.argmax(-1).eq(some.targets).sum().item<std::int64_t>());
      count += places;
    }
    judged.loss /= std::max(1.0, count);
    judged.accuracy /= std::max(1.0, count);
    return judged;
  }

  Status save(const std::string& folder, const Json& card) {
    return save_encoder(disk_, folder,
                        {start_.shape, start_.tokenizer, weights_of(start_.model), card});
  }

  Json card(const Judged& judged) {
    Json card = loop_.account();
    card["kind"] = "encoder";
    card["licence"] =
        start_.origin.is_null() ? "" : json_string(start_.origin, "licence").value_or("");
    card["base"] = start_.origin;
    card["data"] = {{"file", std::filesystem::path(options_.text).filename().string()},
                    {"sha256", start_.corpus.sha256},
                    {"train_tokens", start_.corpus.train.size()},
                    {"held_out_tokens", start_.corpus.held_out.size()}};
    card["validation_loss"] = judged.loss;
    card["validation_accuracy"] = judged.accuracy;
    card["made_ms"] = SystemClock().wall_ms();
    return card;
  }

  Disk& disk_;
  MaskedOptions options_;
  Ranks& ranks_;
  MaskedStart start_;
  AdamW optimiser_;
  StepLoop loop_;
};

Status check_options(Disk& disk, const MaskedOptions& options) {
  if (options.batch < 1 || options.at_once < 0 || options.context < 3 || options.steps < 1 ||
      options.warmup < kByLength || options.rate <= 0 || options.dropout < 0 ||
      options.dropout >= 1 || options.held_out <= 0 || options.held_out >= 1 ||
      options.look_every < 1 || options.patience < 0 || options.rules.share <= 0 ||
      options.rules.share >= 1 || options.average < 0 || options.average >= 1) {
    return invalid_argument(
        "--batch, --context, --steps, --rate, --average, --dropout, --held-out or --mask is out of "
        "range");
  }
  return RunFolder(disk, options.out).check();
}

// [PAD] and its like, then every character of the text as BERT reads it, each at the beginning of
// a word and, where it is a letter or was seen there, inside one.
Result<model::WordPiece> characters_of(std::string_view text) {
  const BertTextRules rules;
  std::set<char32_t> seen, inside;
  while (!text.empty()) {  // line by line: words take far more memory than their text
    const std::size_t end = std::min(text.find('\n'), text.size());
    for (const BertWord& word : bert_words(text.substr(0, end), rules)) {
      seen.insert(word.text.begin(), word.text.end());
      inside.insert(word.text.begin() + 1, word.text.end());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::vector<std::string> pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (const char32_t code : seen) {
    std::string piece;
    append_utf8(piece, code);
    pieces.push_back(piece);
    const CharClass kind = class_of(code);
    const bool alone = kind == CharClass::kHan || kind == CharClass::kPunctuation;
    if (!alone || inside.contains(code)) pieces.push_back("##" + piece);
  }
  if (pieces.size() > kPiecesMax) {
    return Error{Code::kUnsupported, "the text has too many different characters: --tokenizer"};
  }
  return model::WordPiece::make(std::move(pieces), rules);
}

// What was named, or made the tokens, or has the characters of the text.
Result<model::WordPiece> tokenizer_of(const MaskedOptions& options, const CorpusSource& source) {
  const std::string* text = source.text();
  if (options.tokenizer.empty() && text != nullptr) return characters_of(*text);
  QIAO_ASSIGN(const auto codec, source.codec(options.tokenizer));
  const auto* wordpiece = dynamic_cast<const WordPieceCodec*>(codec.get());
  if (wordpiece != nullptr) return wordpiece->tokenizer();
  const std::string& place = options.tokenizer.empty() ? options.text : options.tokenizer;
  return invalid_argument("bert takes WordPiece, and the tokenizer of " + place +
                          " is of another kind");
}

Result<MaskedStart> from_nothing(const MaskedOptions& options, const CorpusSource& source) {
  QIAO_ASSIGN(model::WordPiece tokenizer, tokenizer_of(options, source));
  EncoderShape shape = options.shape;
  shape.vocabulary = static_cast<std::int64_t>(tokenizer.pieces().size());
  shape.positions = std::max(shape.positions, options.context);
  QIAO_TRY(check_shape(shape));
  QIAO_ASSIGN(MaskTokens known, mask_tokens(tokenizer));
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), UINT64_MAX));
  MaskedModel model(shape, options.dropout);
  model->begin_by_chance();
  return MaskedStart{std::move(tokenizer), shape, model, std::move(known), {}, {}};
}

// The head is the base's where it has one, else of chance.
Result<MaskedStart> from_base(const MaskedOptions& options) {
  QIAO_ASSIGN(BaseModel base, open_base(options.base));
  if (options.context > base.shape.positions) {
    return invalid_argument("--context: " + base.name + " reads at most " +
                            std::to_string(base.shape.positions) + " tokens");
  }
  QIAO_ASSIGN(MaskTokens known, mask_tokens(base.tokenizer));
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), UINT64_MAX));
  MaskedModel model(base.shape, options.dropout);
  model->begin_by_chance();
  QIAO_TRY(load_weights(weights_of(model->encoder), *base.weights));
  bool head = true;
  for (const auto& [name, tensor] : head_weights_of(model)) head = head && base.weights->has(name);
  if (head) QIAO_TRY(load_weights(head_weights_of(model), *base.weights));
  Json origin = {{"name", base.name}, {"licence", base.licence}, {"sha256", base.sha256}};
  return MaskedStart{std::move(base.tokenizer), base.shape, model,
                     std::move(known),          {},         std::move(origin)};
}

Result<MaskedStart> begin(const MaskedOptions& options) {
  QIAO_ASSIGN(const CorpusSource source, CorpusSource::open(options.text));
  QIAO_ASSIGN(MaskedStart start,
              options.base.empty() ? from_nothing(options, source) : from_base(options));
  if (start.shape.is_table()) return invalid_argument("--layers: bert has at least one");
  const char* line_end = source.text() == nullptr ? "" : "\n";
  QIAO_ASSIGN(start.corpus,
              source.tokens(WordPieceCodec(start.tokenizer),
                            {options.text, line_end, options.held_out, options.context}));
  return start;
}

}  // namespace

Result<Json> pretrain_masked(Disk& disk, const MaskedOptions& given, Progress& progress,
                             const std::atomic<bool>& stop, Ranks& ranks) {
  MaskedOptions options = given;
  if (options.rate == 0) {
    options.rate = options.base.empty() ? kMaskedRateFromNothing : kMaskedRateFromBase;
  }
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(MaskedStart start, begin(options));
  std::int64_t weights = 0;
  for (const auto& [name, tensor] : weights_of(start.model)) weights += tensor.numel();
  progress.note(
      tr(progress.language(), Text::kLearnPretrainPlan,
         {"bert", std::to_string(weights), std::to_string(start.corpus.train.size()),
          std::to_string(start.shape.vocabulary), std::to_string(at::get_num_threads())}));
  MaskedPretrainer pretrainer(disk, options, progress, stop, ranks, std::move(start));
  return pretrainer.run();
}

}  // namespace qiao::learn
