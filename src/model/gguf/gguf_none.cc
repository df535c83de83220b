// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/gguf_values.h"
#include "model/gguf/gguf_writer.h"
#include "model/llama/llama_quantise.h"
#include "model/llama/llama_scores.h"
#include "model/llama/token_codec.h"

// Built without llama.cpp: GGUF files of plain numbers are read (src/learn), none are written.
namespace qiao::model {
namespace {

Error without_llama() {
  return {Code::kUnsupported, "this qiao was built without llama.cpp: -DQIAO_WITH_LLAMA=ON"};
}

}  // namespace

Result<std::size_t> bytes_of_values(std::uint32_t, std::size_t, std::size_t) {
  return without_llama();
}
Result<std::vector<float>> decode_values(std::uint32_t, std::string_view, std::size_t) {
  return without_llama();
}

struct GgufWriter::Impl {};
GgufWriter::GgufWriter() = default;
GgufWriter::~GgufWriter() = default;
void GgufWriter::set(const std::string&, const std::string&) {}
void GgufWriter::set(const std::string&, std::uint32_t) {}
void GgufWriter::set(const std::string&, float) {}
void GgufWriter::set(const std::string&, bool) {}
void GgufWriter::set(const std::string&, const std::vector<std::string>&) {}
void GgufWriter::set(const std::string&, const std::vector<std::int32_t>&) {}
void GgufWriter::set(const std::string&, const std::vector<float>&) {}
Status GgufWriter::copy_keys(const std::string&) {
  return without_llama();
}
void GgufWriter::copy_keys(const GgufWriter&) {}
Status GgufWriter::add_tensor(const std::string&, const std::vector<std::int64_t>&, bool) {
  return without_llama();
}
Status GgufWriter::add_int8_tensor(const std::string&, const std::vector<std::int64_t>&) {
  return without_llama();
}
std::string GgufWriter::head() const {
  return {};
}
Status GgufWriter::write(const std::string&, const Values&) {
  return without_llama();
}

struct TokenCodec::Impl {};
TokenCodec::~TokenCodec() = default;
Result<std::shared_ptr<const TokenCodec>> TokenCodec::open(const std::string&) {
  return without_llama();
}
Result<std::shared_ptr<const TokenCodec>> TokenCodec::of_bytes(std::string_view,
                                                               const std::string&) {
  return without_llama();
}
std::int32_t TokenCodec::size() const {
  return 0;
}
std::int32_t TokenCodec::end() const {
  return -1;
}
Result<std::vector<std::int32_t>> TokenCodec::encode(std::string_view) const {
  return without_llama();
}
std::string TokenCodec::decode(std::int32_t) const {
  return {};
}
Result<std::vector<TaughtToken>> TokenCodec::encode_conversation(std::span<const ChatTurn>) const {
  return without_llama();
}

struct LlamaScorer::Impl {};
LlamaScorer::LlamaScorer(LlamaScorer&& other) noexcept = default;
LlamaScorer::~LlamaScorer() = default;
std::size_t LlamaScorer::tokens_max() const {
  return 0;
}
Result<LlamaScorer> LlamaScorer::open(const std::string&, const std::string&, int) {
  return without_llama();
}
Result<std::vector<std::vector<float>>> LlamaScorer::score(const std::vector<std::int32_t>&) {
  return without_llama();
}

Result<std::vector<std::vector<float>>> llama_scores(const std::string&, const std::string&,
                                                     const std::vector<std::int32_t>&) {
  return without_llama();
}

Status check_gguf_numbers(std::string_view) {
  return without_llama();
}
Status quantise_gguf(Disk&, const std::string&, const std::string&, std::string_view, int) {
  return without_llama();
}

}  // namespace qiao::model
