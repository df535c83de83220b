# SPDX-License-Identifier: Apache-2.0
# libtorch 1.13 or newer, for the module learn alone (target qiao_torch). QIAO_WITH_TORCH is ON where it is found;
# -DCMAKE_PREFIX_PATH=… points at one elsewhere. Its own CMake package mixes in the flags of its build: we take the
# headers and the three libraries that a program for the CPU needs, and torch_cuda where there is one (--device cuda).
find_path(QIAO_TORCH_INCLUDE ATen/ATen.h)
find_library(QIAO_TORCH_LIBRARY torch)
find_library(QIAO_TORCH_CPU_LIBRARY torch_cpu)
find_library(QIAO_C10_LIBRARY c10)
find_library(QIAO_TORCH_CUDA_LIBRARY torch_cuda)
set(found_torch OFF)
if(QIAO_TORCH_INCLUDE AND QIAO_TORCH_LIBRARY AND QIAO_TORCH_CPU_LIBRARY AND QIAO_C10_LIBRARY)
  set(found_torch ON)
endif()
option(QIAO_WITH_TORCH "Build qiao-learn (training; needs libtorch)" ${found_torch})
if(QIAO_WITH_TORCH AND NOT found_torch)
  message(FATAL_ERROR "libtorch is not found: tools/setup installs it; -DQIAO_WITH_TORCH=OFF builds without qiao-learn")
endif()
if(NOT QIAO_WITH_TORCH)
  message(STATUS "==== qiao-learn is NOT built: no training, no evaluation of bundles (QIAO_WITH_TORCH=OFF) ====")
  return()
endif()

find_package(ZLIB REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(RSVG REQUIRED IMPORTED_TARGET librsvg-2.0)
find_package(OpenMP REQUIRED)  # ATen's parallel loops are written into our code by its headers
add_library(qiao_torch INTERFACE)
target_include_directories(qiao_torch SYSTEM INTERFACE
  ${QIAO_TORCH_INCLUDE} ${QIAO_TORCH_INCLUDE}/torch/csrc/api/include)
target_link_libraries(qiao_torch INTERFACE
  ${QIAO_TORCH_LIBRARY} ${QIAO_TORCH_CPU_LIBRARY} ${QIAO_C10_LIBRARY} ZLIB::ZLIB OpenMP::OpenMP_CXX)
if(QIAO_TORCH_CUDA_LIBRARY)  # nothing names its symbols: loading it is what adds the device
  target_link_options(qiao_torch INTERFACE "LINKER:--no-as-needed,${QIAO_TORCH_CUDA_LIBRARY},--as-needed")
endif()
