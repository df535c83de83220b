// SPDX-License-Identifier: Apache-2.0
#include "learn/models/blas_library.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>

namespace qiao::learn {

BlasLibrary blas_library_of(const std::string& file) {
  const std::filesystem::path path = file;
  const std::string own = path.filename().string();
  const std::string folder = path.parent_path().filename().string();
  for (const char* name : {"openblas", "mkl", "flexiblas", "blis", "atlas"}) {
    for (const std::string& part : {own, folder}) {
      if (part.find(name) != std::string::npos) return {name, file};
    }
  }
  return {own.starts_with("libblas") ? "reference" : "", file};
}

BlasLibrary blas_library() {
  const void* product = ::dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info found{};
  if (product == nullptr || ::dladdr(product, &found) == 0 || found.dli_fname == nullptr) {
    return {at::hasMKL() ? "mkl" : "", ""};
  }
  std::error_code fault;
  const auto file = std::filesystem::canonical(found.dli_fname, fault);
  return blas_library_of(fault ? found.dli_fname : file.string());
}

}  // namespace qiao::learn
