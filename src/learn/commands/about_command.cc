// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <iostream>

#include "base/i18n.h"
#include "base/json.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/models/blas_library.h"
#include "learn/training/precision.h"
#include "learn/training/threads.h"

namespace qiao::learn {

Status run_about(const Session& session, const std::vector<std::string>& words) {
  Arguments arguments("train about");
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  const BlasLibrary blas = blas_library();
  std::cout << dump_json({{"libtorch", TORCH_VERSION},
                          {"blas", blas.name},
                          {"blas_file", blas.file},
                          {"threads", threads_of_each(1)},
                          {"bfloat16", has_bfloat16()},
                          {"cuda", torch::cuda::is_available()}})
            << "\n";
  return {};
}

}  // namespace qiao::learn
