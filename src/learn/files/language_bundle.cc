// SPDX-License-Identifier: Apache-2.0
#include "learn/files/language_bundle.h"

#include <utility>

#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/files/tensor_file.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kSeenMax = 512;  // tokens looked back on for each one written

}  // namespace

Status save_language_bundle(Disk& disk, const std::string& folder, const LanguageBundle& bundle) {
  const std::string at = folder + "/";
  QIAO_TRY(save_tensors(disk, at + "model.safetensors", weights_of(*bundle.model)));
  QIAO_TRY(bundle.codec->save(disk, folder));
  QIAO_TRY(write_json_file(disk, at + "config.json", to_json(bundle.shape)));
  return write_card(disk, folder, bundle.card);
}

Result<LanguageBundle> load_language_bundle(const std::string& folder, double dropout) {
  QIAO_ASSIGN(const Json config, read_json_file(folder + "/config.json"));
  QIAO_ASSIGN(const LanguageModelShape shape, language_shape_of(config));
  QIAO_ASSIGN(auto codec, load_text_codec(folder));
  if (codec->size() != shape.vocabulary) {
    return Error{Code::kCorrupt, folder + ": the vocabulary has " + std::to_string(codec->size()) +
                                     " tokens, config.json says " +
                                     std::to_string(shape.vocabulary) +
                                     ": they do not belong together"};
  }
  auto model = make_language_model(shape, dropout);
  QIAO_TRY(load_tensors(folder + "/model.safetensors", weights_of(*model)));
  model->eval();
  QIAO_ASSIGN(Json card, read_json_file(folder + "/card.json"));
  return LanguageBundle{shape, std::move(codec), std::move(model), std::move(card)};
}

Result<std::string> sample(const LanguageBundle& bundle, const SampleOptions& options,
                           const std::atomic<bool>* stop) {
  const torch::NoGradGuard no_grad;
  QIAO_ASSIGN(std::vector<std::int64_t> ids, bundle.codec->encode(options.prompt));
  if (ids.empty()) return invalid_argument("the model knows no token of the prompt");
  torch::manual_seed(static_cast<std::uint64_t>(options.seed));
  bundle.model->eval();
  std::string out;
  for (std::int64_t i = 0; i < options.tokens; ++i) {
    if (stop != nullptr && stop->load()) {
      return Error{Code::kCancelled, "stopped after " + std::to_string(i) + " of " +
                                         std::to_string(options.tokens) + " tokens"};
    }
    const auto seen =
        std::min({static_cast<std::int64_t>(ids.size()), bundle.shape.context, kSeenMax});
    const std::vector<std::int64_t> last(ids.end() - seen, ids.end());
    const torch::Tensor hidden = bundle.model->hidden(torch::tensor(last).unsqueeze(0));
    const torch::Tensor scores = bundle.model->scores(hidden[0][seen - 1]).cpu().to(torch::kFloat);
    const torch::Tensor next =
        options.temperature > 0
            ? torch::multinomial(torch::softmax(scores / options.temperature, -1), 1)
            : scores.argmax();
    ids.push_back(next.item<std::int64_t>());
    if (ids.back() == bundle.codec->end()) break;
    out += bundle.codec->decode(ids.back());
  }
  return out;
}

}  // namespace qiao::learn
