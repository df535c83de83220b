# SPDX-License-Identifier: Apache-2.0
# Every outside library, found once. Which folder may include which header: tools/check_modules.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS context)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(CURL REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n data)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)

if(QIAO_WITH_LLAMA)
  if(NOT QIAO_LLAMA_PREFIX)
    execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/get_llama OUTPUT_VARIABLE prefix
                    OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "tools/get_llama failed; -DQIAO_WITH_LLAMA=OFF builds without local models")
    endif()
    set(QIAO_LLAMA_PREFIX ${prefix} CACHE PATH "Where llama.cpp is installed")
  endif()
  list(APPEND CMAKE_PREFIX_PATH ${QIAO_LLAMA_PREFIX})
  find_package(ggml REQUIRED HINTS ${QIAO_LLAMA_PREFIX})
  find_package(llama REQUIRED HINTS ${QIAO_LLAMA_PREFIX})
endif()

include(torch)

if(QIAO_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(QIAO_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()

# Our own warnings; never applied to other people's headers.
add_library(qiao_flags INTERFACE)
target_include_directories(qiao_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(qiao_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual $<$<BOOL:${QIAO_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>  # lets ccache keep what is compiled with parsed headers
  # g++ 12 sees overlaps and overflows in std::string's operator+ that are not there (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds> -pthread)
target_link_libraries(qiao_flags INTERFACE Threads::Threads)

set(QIAO_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")
if(QIAO_SANITIZE)
  # Warnings are the ordinary build's; a report ends the program.
  add_compile_options(-fsanitize=${QIAO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -w)
  add_link_options(-fsanitize=${QIAO_SANITIZE})
endif()
if(QIAO_BUILD_FUZZ)  # libFuzzer learns from every branch, also of those below the parser
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
