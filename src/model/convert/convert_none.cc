// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_bert.h"

namespace qiao::model {

// Built without llama.cpp, there is no GGUF writer, and no use for a GGUF either.
Status convert_bert(const BertFiles&, const ConvertHints&, const std::string& name,
                    const std::string&, const std::function<void(std::uint64_t, std::uint64_t)>&,
                    std::stop_token) {
  return Error{Code::kUnsupported,
               name + " must be converted, and this qiao was built without llama.cpp"};
}

}  // namespace qiao::model
