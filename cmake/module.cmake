# SPDX-License-Identifier: Apache-2.0
# qiao_module(name SOURCES … TESTS … MODEL_TESTS … BENCHES … DEPS … PRIVATE_DEPS …)
#
# Makes the static library qiao_<name> (alias qiao::<name>) of src/<name>, one test
# executable of its TESTS, one of its MODEL_TESTS (label `model`: they need a model that
# `qiao model pull` got, and skip without it) and one benchmark of its BENCHES. DEPS name
# our modules or imported targets that the module's headers need; PRIVATE_DEPS only its
# sources. TEST_LABELS are given to every test of the module; TEST_DEPS link to its tests
# alone. HEADERS are parsed once for the module and its tests, and its sources are compiled some
# together: g++ makes what such headers' templates need anew at the end of each. Under sanitizers
# all modules' are, but for the sources APART, whose hidden names are others', too.

# What nearly every source reads (containers, functions, JSON), parsed once for all of them: half
# the time of a build. clang parses it for each, so that clang-tidy sees what a source leaves out,
# but not under sanitizers.
add_library(qiao_headers OBJECT ${CMAKE_SOURCE_DIR}/cmake/headers.cc)
target_link_libraries(qiao_headers PRIVATE qiao_flags)
set(QIAO_HEADERS <algorithm> <chrono> <cstdint> <deque> <functional> <map> <memory> <mutex> <nlohmann/json.hpp>
  <optional> <string> <string_view> <thread> <tl/expected.hpp> <unordered_map> <utility> <vector>)

set(QIAO_SOURCES_TOGETHER 8)

# `target` takes its headers from those that `owner` parsed; an owner parses ARGN, too.
function(qiao_precompile target owner)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT QIAO_SANITIZE)
    return()
  endif()
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${QIAO_HEADERS} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # lets ccache keep what is compiled with them
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")  # -fPIE would not fit headers that were parsed with -fPIC
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()
qiao_precompile(qiao_headers qiao_headers)

function(qiao_module name)
  cmake_parse_arguments(M "" ""
    "SOURCES;TESTS;MODEL_TESTS;BENCHES;DEPS;PRIVATE_DEPS;TEST_DEPS;TEST_LABELS;HEADERS;APART" ${ARGN})
  set(target qiao_${name})
  set(headers_of qiao_headers)
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    if(M_HEADERS)
      set(headers_of ${target})
      set(together ${target} ${name}_test ${name}_model_test)
    endif()
    qiao_precompile(${target} ${headers_of} ${M_HEADERS})
    target_link_libraries(${target} PUBLIC qiao_flags ${M_DEPS} PRIVATE ${M_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE qiao_flags ${M_DEPS})
  endif()
  add_library(qiao::${name} ALIAS ${target})

  if(QIAO_BUILD_TESTS AND M_TESTS)
    qiao_test(${name}_test "${name}." "unit;${M_TEST_LABELS}" ${M_TESTS})
    qiao_precompile(${name}_test ${headers_of})
    target_link_libraries(${name}_test PRIVATE ${target} ${M_TEST_DEPS})
  endif()
  if(QIAO_BUILD_TESTS AND M_MODEL_TESTS)
    qiao_test(${name}_model_test "${name}." "model;${M_TEST_LABELS}" ${M_MODEL_TESTS})
    qiao_precompile(${name}_model_test ${headers_of})
    target_link_libraries(${name}_model_test PRIVATE ${target} ${M_TEST_DEPS})
  endif()
  if(QIAO_BUILD_BENCH AND M_BENCHES)
    add_executable(${name}_bench ${M_BENCHES})
    target_link_libraries(${name}_bench PRIVATE ${target} benchmark::benchmark_main)
  endif()
  if(M_SOURCES AND QIAO_SANITIZE)  # the checks that templates get are most of such a build's time
    list(APPEND together ${target} ${name}_test)
    set_source_files_properties(${M_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  foreach(each IN LISTS together)
    if(TARGET ${each})
      set_target_properties(${each} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${QIAO_SOURCES_TOGETHER})
    endif()
  endforeach()
endfunction()

# One GoogleTest executable of sources; each of its tests is one of ctest's.
function(qiao_test executable prefix labels)
  add_executable(${executable} ${ARGN})
  target_link_libraries(${executable} PRIVATE GTest::gtest_main GTest::gmock)
  gtest_discover_tests(${executable} TEST_PREFIX ${prefix} DISCOVERY_TIMEOUT 120
    PROPERTIES TIMEOUT 180 LABELS "${labels}")
endfunction()
