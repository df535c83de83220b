// SPDX-License-Identifier: Apache-2.0
// qiao-unigram LINES MODEL VOCABULARY COVERAGE: learns a unigram model from the file LINES and
// writes MODEL, or MODEL.error and exits with 1. For learn_unigram().
#include <sentencepiece_trainer.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <unordered_map>

namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;
// Sums of floats depend on how many threads make parts of them: always so many.
constexpr const char* kThreads = "2";

class Lines final : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const char* path) : file_(path, std::ios::binary) { Next(); }
  [[nodiscard]] bool done() const override { return done_; }
  void Next() override { done_ = !std::getline(file_, line_); }
  [[nodiscard]] const std::string& value() const override { return line_; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

 private:
  std::ifstream file_;
  std::string line_;
  bool done_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::cerr << "qiao-unigram LINES MODEL VOCABULARY COVERAGE: a part of qiao train tokenizer\n";
    return 2;
  }
  const std::unordered_map<std::string, std::string> how = {
      {"model_type", "unigram"},
      {"vocab_size", argv[3]},
      {"hard_vocab_limit", "false"},  // a small text has fewer pieces
      {"character_coverage", argv[4]},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"add_dummy_prefix", "false"},
      {"user_defined_symbols", "\n"},
      {"max_sentence_length", std::to_string(kLineBytesMax)},
      {"unk_id", "0"},
      {"eos_id", "1"},
      {"bos_id", "-1"},
      {"pad_id", "-1"},
      {"eos_piece", "</s>"},
      {"num_threads", kThreads},
      {"minloglevel", "2"}};
  Lines lines(argv[1]);
  std::string bytes;
  const auto status = sentencepiece::SentencePieceTrainer::Train(how, &lines, &bytes);
  const std::string path = argv[2];
  std::ofstream out(status.ok() ? path : path + ".error", std::ios::binary);
  out << (status.ok() ? bytes : status.ToString());
  return status.ok() && out.flush() ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception& e) {
  std::cerr << "qiao-unigram: " << e.what() << "\n";
  return EXIT_FAILURE;
}
