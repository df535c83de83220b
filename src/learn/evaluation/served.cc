// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/served.h"

#include <chrono>
#include <filesystem>
#include <utility>

#include "model/bundle/bundle_store.h"
#include "model/bundle/table_encoder.h"
#include "model/open_model.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "measured";

// The number of the character that begins at each byte of `text`.
std::vector<std::size_t> characters_of(std::string_view text) {
  std::vector<std::size_t> numbers(text.size() + 1);
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t begin = at;
    next_code_point(text, at);
    for (std::size_t byte = begin; byte < at; ++byte) numbers[byte] = number;
  }
  numbers[text.size()] = number;
  return numbers;
}

}  // namespace

Result<std::unique_ptr<ServedBundle>> ServedBundle::open(const std::string& folder, int threads) {
  auto scratch = std::make_unique<ScratchFolder>();
  QIAO_ASSIGN(const std::string version, import_bundle(scratch->path(), kName, folder));
  QIAO_ASSIGN(const std::string at, version_folder(scratch->path(), kName, version));
  QIAO_ASSIGN(TextHead head, TextHead::read(at, at + "/head.safetensors"));
  ModelOptions options;
  options.name = kName;
  options.engine = "in-process";
  options.pooling = head.pooling();
  options.threads = threads;
  static const SystemClock clock;
  static Metrics metrics;
  QIAO_ASSIGN(auto encoder, model::open_bundle_encoder(at, options, clock, metrics));
  std::unique_ptr<ServedBundle> out(new ServedBundle(std::move(scratch), std::move(head)));
  out->encoder_ = std::move(encoder);
  std::error_code fault;
  for (const char* file : {"model.gguf", model::kTableFile, "head.safetensors"}) {
    const std::uintmax_t bytes = fs::file_size(fs::path(at) / file, fault);
    if (!fault) out->bytes_ += bytes;
  }
  return out;
}

Result<ServedAnswer> ServedBundle::ask(const std::string& text) {
  const auto begin = std::chrono::steady_clock::now();
  const model::Encoded encoded = head_.encode(text);
  QIAO_ASSIGN(const std::vector<float> vectors, encode_and_wait(*encoder_, encoded.ids));
  QIAO_ASSIGN(const HeadAnswer given, head_.answer(text, encoded, vectors));
  ServedAnswer out;
  out.milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  if (!given.labels.empty()) out.label = given.labels.front().label;
  out.number = given.number;
  for (const HeadLabels& head : given.heads) out.labels[head.name] = head.labels.front().label;
  const std::vector<std::size_t> numbers = characters_of(text);
  for (const qiao::Entity& entity : given.entities) {
    out.entities.push_back({entity.kind, numbers[entity.begin], numbers[entity.end]});
  }
  return out;
}

}  // namespace qiao::learn
