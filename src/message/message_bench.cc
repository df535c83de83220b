// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "message/message.h"
#include "message/subject.h"

namespace qiao {
namespace {

void encode_decode(benchmark::State& state) {
  Message message =
      text_message("support.in", std::string(static_cast<std::size_t>(state.range(0)), 'x'), "c1");
  message.id = "01ARYZ6S41TSV4RRFFQ69G5FAV";
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    encode(message, bytes);
    benchmark::DoNotOptimize(decode_message(bytes));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(encode_decode)->Arg(256)->Arg(1024);

void subject_match(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(matches("support.*.zh.>", "support.in.zh.a.b"));
}
BENCHMARK(subject_match);

void validate_message(benchmark::State& state) {
  const Message message = text_message("support.in", std::string(256, 'x'), "c1");
  for (auto _ : state) benchmark::DoNotOptimize(validate(message));
}
BENCHMARK(validate_message);

}  // namespace
}  // namespace qiao
