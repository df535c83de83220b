# SPDX-License-Identifier: Apache-2.0
# qiao_module(name SOURCES … TESTS … MODEL_TESTS … BENCHES … DEPS … PRIVATE_DEPS …)
#
# Makes the static library qiao_<name> (alias qiao::<name>) of src/<name>, one test
# executable of its TESTS, one of its MODEL_TESTS (label `model`: they need a model that
# `qiao model pull` got, and skip without it) and one benchmark of its BENCHES. DEPS name
# our modules or imported targets that the module's headers need; PRIVATE_DEPS only its
# sources. TEST_LABELS are given to every test of the module; TEST_DEPS link to its tests
# alone.
function(qiao_module name)
  cmake_parse_arguments(M "" ""
    "SOURCES;TESTS;MODEL_TESTS;BENCHES;DEPS;PRIVATE_DEPS;TEST_DEPS;TEST_LABELS" ${ARGN})
  set(target qiao_${name})
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    target_link_libraries(${target} PUBLIC qiao_flags ${M_DEPS} PRIVATE ${M_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE qiao_flags ${M_DEPS})
  endif()
  add_library(qiao::${name} ALIAS ${target})

  if(QIAO_BUILD_TESTS AND M_TESTS)
    qiao_test(${name}_test "${name}." "unit;${M_TEST_LABELS}" ${M_TESTS})
    target_link_libraries(${name}_test PRIVATE ${target} ${M_TEST_DEPS})
  endif()
  if(QIAO_BUILD_TESTS AND M_MODEL_TESTS)
    qiao_test(${name}_model_test "${name}." "model;${M_TEST_LABELS}" ${M_MODEL_TESTS})
    target_link_libraries(${name}_model_test PRIVATE ${target} ${M_TEST_DEPS})
  endif()
  if(QIAO_BUILD_BENCH AND M_BENCHES)
    add_executable(${name}_bench ${M_BENCHES})
    target_link_libraries(${name}_bench PRIVATE ${target} benchmark::benchmark_main)
  endif()
endfunction()

# One GoogleTest executable of sources; each of its tests is one of ctest's.
function(qiao_test executable prefix labels)
  add_executable(${executable} ${ARGN})
  target_link_libraries(${executable} PRIVATE GTest::gtest_main GTest::gmock)
  gtest_discover_tests(${executable} TEST_PREFIX ${prefix} DISCOVERY_TIMEOUT 120
    PROPERTIES TIMEOUT 180 LABELS "${labels}")
endfunction()
