// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/tokenizer_maker.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/i18n.h"
#include "learn/corpus/in_order.h"
#include "learn/tokenizers/bpe_codec.h"
#include "learn/tokenizers/merge_trainer.h"
#include "learn/tokenizers/unigram_codec.h"
#include "learn/tokenizers/unigram_trainer.h"
#include "learn/tokenizers/wordpiece_codec.h"
#include "text/gpt2_words.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kWordBytesMax = 256;     // of a word that merges are learnt from
constexpr std::size_t kSampleBytes = 4 << 20;  // of text that is encoded to measure
constexpr std::size_t kBytes = 256;

using Counts = std::unordered_map<std::string, std::uint64_t>;
using Texts = std::vector<RawText>;

// Reads the texts in order until bytes_max is used up: `prepare` by many threads, `take` by one.
template <class Out>
Status each_block(const MakeTokenizerOptions& options, const TextFiles& files, Progress& progress,
                  const std::atomic<bool>& stop, const std::function<Out(Texts)>& prepare,
                  const std::function<void(Out)>& take) {
  BlockLanes lanes(files.files, options.records);
  const auto bytes_max = static_cast<std::uint64_t>(options.bytes_max);
  std::uint64_t bytes = 0;
  std::atomic<bool> enough{false};
  struct Prepared {
    std::size_t bytes = 0;
    Out out;
  };
  progress.begin(tr(progress.language(), Text::kLearnCorpusReadingStage),
                 static_cast<std::int64_t>(std::min(bytes_max, files.bytes())));
  OrderedWork<Prepared> work;
  work.more = [&] { return lanes.more() && !enough.load(); };
  work.work = [&](std::uint64_t item) -> Result<std::optional<Prepared>> {
    QIAO_ASSIGN(auto block, lanes.block(item));
    if (!block) return std::optional<Prepared>();
    return std::optional<Prepared>(
        Prepared{block->bytes.size(),
                 prepare(parse_block(*block, files.files[block->file].format, options.records))});
  };
  work.take = [&](std::uint64_t, Prepared prepared) -> Status {
    if (enough.load()) return {};  // was begun before the end was known
    bytes += prepared.bytes;
    take(std::move(prepared.out));
    if (bytes >= bytes_max) enough = true;
    progress.step(static_cast<std::int64_t>(std::min(bytes, files.bytes())),
                  [](double left) { return clock_text(left); });
    return {};
  };
  QIAO_TRY(run_in_order(work, static_cast<std::size_t>(options.threads), 0, stop));
  if (stop.load()) return Error{Code::kCancelled, "stopped: nothing was written"};
  return {};
}

// Forgets the rarest until half of the room is free.
void forget_rare(Counts& counts) {
  for (std::uint64_t rare = 1; counts.size() > kCountedWordsMax / 2; rare *= 2) {
    std::erase_if(counts, [&](const auto& one) { return one.second <= rare; });
  }
}

using Split = std::function<void(std::string_view text, Counts& counts)>;

// The words of all texts and how often they stand there, sorted.
Result<std::map<std::string, std::uint64_t>> count_words(const MakeTokenizerOptions& options,
                                                         const TextFiles& files, Progress& progress,
                                                         const std::atomic<bool>& stop,
                                                         const Split& split) {
  Counts all;
  const std::function<Counts(Texts)> prepare = [&](const Texts& texts) {
    Counts counts;
    for (const RawText& raw : texts) split(raw.text, counts);
    return counts;
  };
  const std::function<void(Counts)> take = [&](const Counts& counts) {
    for (const auto& [word, count] : counts) all[word] += count;
    if (all.size() > kCountedWordsMax) forget_rare(all);
  };
  QIAO_TRY(each_block(options, files, progress, stop, prepare, take));
  return std::map<std::string, std::uint64_t>(all.begin(), all.end());
}

std::size_t prefix_size(std::string_view word) {
  std::size_t size = std::min(word.size(), kWordBytesMax);
  while (size < word.size() && size > 1 &&
         (static_cast<unsigned char>(word[size]) & 0xC0U) == 0x80U) {
    --size;
  }
  return size;
}

using Codec = Result<std::shared_ptr<const TextCodec>>;

Codec make_bpe(const MakeTokenizerOptions& options, const TextFiles& files, Progress& progress,
               const std::atomic<bool>& stop) {
  const Split split = [](std::string_view text, Counts& counts) {
    for (std::string_view word : gpt2_words(text)) {
      for (; !word.empty(); word.remove_prefix(prefix_size(word))) {
        ++counts[std::string(word.substr(0, prefix_size(word)))];
      }
    }
  };
  QIAO_ASSIGN(const auto counts, count_words(options, files, progress, stop, split));
  std::vector<CountedWord> words;
  for (const auto& [word, count] : counts) {
    CountedWord one{{}, count};
    for (const char byte : word) one.symbols.push_back(static_cast<unsigned char>(byte));
    words.push_back(std::move(one));
  }
  BpeCodec::Parts parts;
  for (std::size_t byte = 0; byte < kBytes; ++byte) {
    parts.pieces.emplace_back(1, static_cast<char>(static_cast<unsigned char>(byte)));
  }
  const auto merges_max = static_cast<std::size_t>(options.vocabulary) - kBytes - 1;
  // Two merges may make the same bytes: the second one has no piece of its own, and merges of the
  // one and of the other are one merge.
  std::set<std::string> seen(parts.pieces.begin(), parts.pieces.end());
  std::set<std::pair<std::string, std::string>> merged;
  std::vector<std::string> made = parts.pieces;
  for (const Merge& merge : learn_merges(std::move(words), kBytes, merges_max)) {
    std::pair both(made[merge.left], made[merge.right]);
    if (merged.insert(both).second) parts.merges.push_back(std::move(both));
    made.push_back(made[merge.left] + made[merge.right]);
    if (seen.insert(made.back()).second) parts.pieces.push_back(made.back());
  }
  parts.end = static_cast<std::int64_t>(parts.pieces.size());
  parts.pieces.emplace_back(kEndOfText);
  parts.controls.resize(parts.pieces.size());
  parts.controls.back() = true;
  return BpeCodec::make(std::move(parts));
}

Codec make_unigram(const MakeTokenizerOptions& options, const TextFiles& files, Progress& progress,
                   const std::atomic<bool>& stop) {
  std::vector<std::string> lines;
  const std::function<Texts(Texts)> prepare = [](Texts texts) { return texts; };
  const std::function<void(Texts)> take = [&](const Texts& texts) {
    for (const RawText& raw : texts) {
      std::string_view text = raw.text;
      while (!text.empty()) {
        const std::size_t size = std::min(text.find('\n'), text.size());
        if (size > 0) lines.emplace_back(text.substr(0, size));
        text.remove_prefix(std::min(size + 1, text.size()));
      }
    }
  };
  QIAO_TRY(each_block(options, files, progress, stop, prepare, take));
  QIAO_ASSIGN(std::string bytes,
              learn_unigram(lines, {static_cast<std::size_t>(options.vocabulary)}));
  return UnigramCodec::of_model(std::move(bytes));
}

// A symbol of WordPiece: a character that begins a word, or one that goes on (##).
class Alphabet {
 public:
  std::uint32_t of(char32_t code, bool begins) {
    const auto [found, fresh] =
        ids_.emplace(std::pair(begins, code), static_cast<std::uint32_t>(pieces_.size()));
    if (fresh) {
      pieces_.emplace_back(begins ? "" : "##");
      append_utf8(pieces_.back(), code);
    }
    return found->second;
  }
  [[nodiscard]] const std::vector<std::string>& pieces() const { return pieces_; }

 private:
  std::map<std::pair<bool, char32_t>, std::uint32_t> ids_;
  std::vector<std::string> pieces_;
};

Codec make_wordpiece(const MakeTokenizerOptions& options, const TextFiles& files,
                     Progress& progress, const std::atomic<bool>& stop) {
  const BertTextRules rules{options.lowercase, options.lowercase};
  const Split split = [&](std::string_view text, Counts& counts) {
    for (const BertWord& word : bert_words(text, rules)) {
      if (word.text.size() > model::kWordCharactersMax) continue;
      std::string bytes;
      for (const char32_t code : word.text) append_utf8(bytes, code);
      ++counts[std::move(bytes)];
    }
  };
  QIAO_ASSIGN(const auto counts, count_words(options, files, progress, stop, split));
  Alphabet alphabet;
  std::vector<CountedWord> words;
  for (const auto& [word, count] : counts) {
    CountedWord one{{}, count};
    for (std::size_t at = 0; at < word.size();) {
      const bool begins = at == 0;
      one.symbols.push_back(alphabet.of(next_code_point(word, at), begins));
    }
    words.push_back(std::move(one));
  }
  std::vector<std::string> pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  const std::size_t specials = pieces.size();
  const auto vocabulary = static_cast<std::size_t>(options.vocabulary);
  std::vector<std::string> made = alphabet.pieces();
  const std::size_t taken = specials + made.size();
  const auto symbols = static_cast<std::uint32_t>(made.size());
  for (const Merge& merge :
       learn_merges(std::move(words), symbols, vocabulary > taken ? vocabulary - taken : 0)) {
    made.push_back(made[merge.left] + made[merge.right].substr(2));  // what follows begins with ##
  }
  std::set<std::string> seen;
  for (std::string& piece : made) {
    if (pieces.size() < std::max(vocabulary, taken) && seen.insert(piece).second) {
      pieces.push_back(std::move(piece));
    }
  }
  QIAO_ASSIGN(auto wordpiece, model::WordPiece::make(std::move(pieces), rules));
  return std::shared_ptr<const TextCodec>(std::make_shared<WordPieceCodec>(std::move(wordpiece)));
}

Codec make_characters(const MakeTokenizerOptions& options, const TextFiles& files,
                      Progress& progress, const std::atomic<bool>& stop) {
  using Set = std::set<char32_t>;
  Set all;
  const std::function<Set(Texts)> prepare = [](const Texts& texts) {
    Set some;
    for (const RawText& raw : texts) {
      for (std::size_t at = 0; at < raw.text.size();) some.insert(next_code_point(raw.text, at));
    }
    return some;
  };
  const std::function<void(Set)> take = [&](Set some) { all.merge(some); };
  QIAO_TRY(each_block(options, files, progress, stop, prepare, take));
  if (all.size() > kCharactersMax) {
    return Error{Code::kUnsupported, "the texts have more than 65,536 different characters"};
  }
  return std::shared_ptr<const TextCodec>(
      std::make_shared<CharacterCodec>(Characters(std::u32string(all.begin(), all.end()))));
}

// How many tokens the beginning of the texts becomes.
Status measure(const MakeTokenizerOptions& options, const TextFiles& files, MadeTokenizer& made) {
  BlockLanes lanes(files.files, options.records);
  for (std::uint64_t item = 0; lanes.more() && made.bytes_encoded < kSampleBytes; ++item) {
    QIAO_ASSIGN(const auto block, lanes.block(item));
    if (!block) continue;
    for (const RawText& raw :
         parse_block(*block, files.files[block->file].format, options.records)) {
      QIAO_ASSIGN(const auto ids, made.codec->encode(raw.text));
      made.tokens += ids.size();
      made.bytes_encoded += raw.text.size();
    }
  }
  return {};
}

}  // namespace

Result<TokenizerKind> parse_tokenizer_kind(std::string_view name) {
  if (name == "bpe") return TokenizerKind::kBpe;
  if (name == "unigram") return TokenizerKind::kUnigram;
  if (name == "wordpiece") return TokenizerKind::kWordPiece;
  if (name == "characters") return TokenizerKind::kCharacters;
  return invalid_argument("--kind is bpe, unigram, wordpiece or characters, not \"" +
                          std::string(name) + "\"");
}

Result<MadeTokenizer> make_tokenizer(const MakeTokenizerOptions& options, Progress& progress,
                                     const std::atomic<bool>& stop) {
  constexpr std::int64_t kVocabularyMax = 1 << 20;
  if (options.vocabulary < kVocabularyMin || options.vocabulary > kVocabularyMax ||
      options.bytes_max < 1 || options.threads < 1) {
    return invalid_argument("--vocab must be " + std::to_string(kVocabularyMin) +
                            " to 1,048,576, --bytes positive");
  }
  QIAO_ASSIGN(const TextFiles files, find_text_files(options.in, options.format));
  MadeTokenizer made;
  made.bytes = std::min(files.bytes(), static_cast<std::uint64_t>(options.bytes_max));
  const auto make = options.kind == TokenizerKind::kBpe         ? &make_bpe
                    : options.kind == TokenizerKind::kUnigram   ? &make_unigram
                    : options.kind == TokenizerKind::kWordPiece ? &make_wordpiece
                                                                : &make_characters;
  QIAO_ASSIGN(made.codec, make(options, files, progress, stop));
  QIAO_TRY(measure(options, files, made));
  if (made.tokens == 0) {
    return invalid_argument("there is no text in " + options.in.front() +
                            ": look at --format and --field");
  }
  return made;
}

}  // namespace qiao::learn
