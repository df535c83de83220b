// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/open_model.h"

namespace qiao::model {

inline constexpr const char* kTableFile = "table.safetensors";

// True when the bundle or version in `folder` is a table: its config.json says so.
Result<bool> is_table(const std::string& folder);

// An encoder without layers: a text's vector is the mean of its tokens', read from a table. With
// the pooling "none" every token's own. encode() answers at once, on the caller's thread; whatever
// else a Model can do is refused.
//
// Immutable, thread-safe. At most kTableTokensMax tokens a list.
class TableEncoder final : public Model {
 public:
  static constexpr std::size_t kTableTokensMax = 2048;

  // Of a version's folder.
  static Result<std::shared_ptr<Model>> open(const std::string& folder,
                                             const ModelOptions& options);

  [[nodiscard]] ModelInfo info() const override;
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override;
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override;

 private:
  TableEncoder(std::string name, bool pools, std::size_t width, std::vector<float> values);
  [[nodiscard]] Status check(const std::vector<std::int32_t>& tokens) const;
  [[nodiscard]] std::vector<float> vector_of(const std::vector<std::int32_t>& tokens) const;
  [[nodiscard]] Error refused() const;

  const std::string name_;
  const bool pools_;
  const std::size_t width_;
  const std::vector<float> values_;  // row by row
};

// The encoder of a version (bundle_store.h): a table, or a GGUF that `options.engine` runs.
Result<std::shared_ptr<Model>> open_bundle_encoder(const std::string& folder, ModelOptions options,
                                                   const Clock& clock, Metrics& metrics);

}  // namespace qiao::model
