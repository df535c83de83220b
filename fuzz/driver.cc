// SPDX-License-Identifier: Apache-2.0
// Stands in for libFuzzer in ordinary builds: fuzz_all NAME [--rounds N] [--seconds T] [--seed S]
// DIRECTORY gives every file of the directory to that target, then mutations of them: N, and on
// until T seconds have passed. The same seed gives the same inputs.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/random.h"

#define QIAO_FUZZ(name) extern "C" int qiao_fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef QIAO_FUZZ

namespace {

constexpr std::size_t kInputBytesMax = 64 << 10;

using Target = int (*)(const std::uint8_t* data, std::size_t size);

Target target_of(std::string_view name) {
#define QIAO_FUZZ(target) \
  if (name == #target) return &qiao_fuzz_##target;
#include "fuzz_targets.inc"
#undef QIAO_FUZZ
  return nullptr;
}

void give(Target target, const std::string& input) {
  const void* bytes = input.data();
  (void)target(static_cast<const std::uint8_t*>(bytes), input.size());
}

// One change: a byte, a cut, a doubling, or the head of one input before the tail of another.
std::string mutated(std::string input, const std::string& other, qiao::Rng& rng) {
  const std::size_t at = rng.below(input.size() + 1);
  switch (rng.below(5)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(rng.below(256));
      break;
    case 1:
      input.erase(at, rng.below(8));
      break;
    case 2:
      input.insert(at, std::string(rng.below(8), static_cast<char>(rng.below(256))));
      break;
    case 3:
      input.insert(at, input.substr(0, rng.below(input.size() + 1)));
      break;
    default:
      input = input.substr(0, at) + other.substr(rng.below(other.size() + 1));
  }
  input.resize(std::min(input.size(), kInputBytesMax));
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t rounds = 0;
  std::uint64_t seed = 1;
  std::chrono::seconds time{0};
  std::vector<std::string> inputs;
  const Target target = argc > 1 ? target_of(argv[1]) : nullptr;
  if (target == nullptr) return std::fprintf(stderr, "the first word names a target\n"), 2;
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--rounds" && i + 1 < argc) {
      rounds = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--seconds" && i + 1 < argc) {
      time = std::chrono::seconds(std::strtoll(argv[++i], nullptr, 10));
    } else if (word == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      for (const auto& file : std::filesystem::directory_iterator(word))
        inputs.push_back(qiao::read_file(file.path()).value_or(""));
    }
  }
  std::sort(inputs.begin(), inputs.end());  // not in the order of the file system
  if (inputs.empty()) return std::fprintf(stderr, "no input: name a directory of files\n"), 2;
  for (const std::string& input : inputs) give(target, input);
  qiao::Rng rng(seed);
  const auto end = std::chrono::steady_clock::now() + time;
  std::uint64_t round = 0;
  for (; round < rounds || std::chrono::steady_clock::now() < end; ++round) {
    std::string input = inputs[rng.below(inputs.size())];
    for (std::uint64_t changes = 1 + rng.below(4); changes > 0; --changes)
      input = mutated(std::move(input), inputs[rng.below(inputs.size())], rng);
    give(target, input);
  }
  std::printf("%zu files, %llu mutations (seed %llu)\n", inputs.size(),
              static_cast<unsigned long long>(round), static_cast<unsigned long long>(seed));
  return 0;
}
