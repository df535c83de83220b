// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_quantise.h"

#include <ggml.h>
#include <gguf.h>

#include <array>
#include <memory>
#include <utility>

#include "model/gguf/gguf_check.h"
#include "model/llama/llama_handles.h"

namespace qiao::model {
namespace {

struct Numbers {
  std::string_view name;
  llama_ftype type;
};
constexpr std::array kNumbers = {Numbers{"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
                                 Numbers{"q4_k", LLAMA_FTYPE_MOSTLY_Q4_K_M}};

Result<llama_ftype> type_of(std::string_view name) {
  for (const Numbers& one : kNumbers) {
    if (one.name == name) return one.type;
  }
  return invalid_argument("a decoder is stored as q8_0 or q4_k, not as " + std::string(name));
}

struct CloseGguf {
  void operator()(gguf_context* file) const { gguf_free(file); }
};

// llama.cpp refuses only what it would have to change: tensors of the wanted type it copies.
bool is_quantised(const std::string& path) {
  const std::unique_ptr<gguf_context, CloseGguf> file(
      gguf_init_from_file(path.c_str(), {true, nullptr}));
  const std::int64_t tensors = file == nullptr ? 0 : gguf_get_n_tensors(file.get());
  for (std::int64_t i = 0; i < tensors; ++i) {
    if (ggml_is_quantized(gguf_get_tensor_type(file.get(), i))) return true;
  }
  return false;
}

}  // namespace

Status check_gguf_numbers(std::string_view type) {
  QIAO_TRY(type_of(type));
  return {};
}

Status quantise_gguf(Disk& disk, const std::string& from, const std::string& to,
                     std::string_view type, int threads) {
  auto parameters = llama_model_quantize_default_params();
  QIAO_ASSIGN(parameters.ftype, type_of(type));
  parameters.nthread = threads;
  QIAO_TRY(check_gguf(from));
  if (disk.exists(to)) return Error{Code::kAlreadyExists, to + " is there already"};
  if (is_quantised(from)) {
    return Error{Code::kPrecondition,
                 from + " is quantised already: give the file in F32, F16 or BF16"};
  }
  start_llama();
  const std::string beside = to + ".partial";
  if (disk.exists(beside)) QIAO_TRY(disk.remove(beside));
  bool done = false;
  try {
    done = llama_model_quantize(from.c_str(), beside.c_str(), &parameters) == 0;
  } catch (const std::exception&) {
    done = false;
  }
  // It tells no reason and no fault of a disk: the file must be a whole one.
  if (done && check_gguf(beside)) return disk.rename(beside, to);
  if (disk.exists(beside)) QIAO_TRY(disk.remove(beside));
  return Error{Code::kPrecondition, "llama.cpp did not quantise " + from +
                                        ": it must know the architecture, and the disk must "
                                        "have room"};
}

}  // namespace qiao::model
