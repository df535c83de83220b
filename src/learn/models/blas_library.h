// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace qiao::learn {

// The library that computes libtorch's products in full precision.
struct BlasLibrary {
  std::string name;  // "openblas", "mkl", "blis", "atlas", "flexiblas", "reference"; "": not known
  std::string file;  // "": within libtorch
};

// Named by its file, links followed: distributions call each of them libblas.so.3, in folders of
// their own. One that says nothing is the reference, which is many times slower.
BlasLibrary blas_library_of(const std::string& file);

// The one of this process.
BlasLibrary blas_library();

}  // namespace qiao::learn
