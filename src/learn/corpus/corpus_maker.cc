// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/corpus_maker.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/i18n.h"
#include "base/random.h"
#include "learn/corpus/in_order.h"
#include "learn/corpus/text_shards.h"
#include "learn/data/token_folder.h"
#include "learn/files/free_place.h"
#include "learn/files/json_file.h"
#include "learn/training/seeds.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr int kStateVersion = 1;
constexpr const char* kStateName = "/state.json";
constexpr const char* kSeenName = "/seen";
constexpr std::uint64_t kPackedGrowth = 4;           // what a packed file becomes, about
constexpr std::uint64_t kSpoolFileBytes = 16 << 20;  // wished for
constexpr std::size_t kEncodeTexts = 64;             // one item of work
constexpr std::size_t kSeenBytes = sizeof(std::uint64_t) + sizeof(MinHash);
constexpr std::size_t kSeenWaitingBytes = 1 << 20;
constexpr double kMegabyte = 1e6;

using Clock = std::chrono::steady_clock;

bool is_packed(const std::string& path) {
  return path.ends_with(".gz") || path.ends_with(".zst");
}

// Unpacked, about.
std::uint64_t expected_bytes(const TextFiles& files) {
  std::uint64_t sum = 0;
  for (const TextFile& file : files.files) {
    sum += file.bytes * (is_packed(file.path) ? kPackedGrowth : 1);
  }
  return sum;
}

// Names, formats, sizes and times of the files: what a resumed run must find unchanged.
std::string inputs_print(const TextFiles& files) {
  std::string all;
  for (const TextFile& file : files.files) {
    std::error_code ignored;
    const auto time = fs::last_write_time(file.path, ignored).time_since_epoch().count();
    all += file.path + " " + std::to_string(static_cast<int>(file.format)) + " " +
           std::to_string(file.bytes) + " " + std::to_string(time) + "\n";
  }
  return sha256_hex(all);
}

// What was kept, in order, so that a resumed run remembers it: hash and MinHash of each text.
class SeenFile {
 public:
  SeenFile(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  Status open(std::uint64_t size, SeenTexts& seen) {
    const auto mode = disk_.exists(path_) ? OpenMode::kReadWrite : OpenMode::kCreateNew;
    QIAO_ASSIGN(file_, disk_.open(path_, mode));
    QIAO_TRY(file_->truncate(size));
    size_ = size;
    constexpr std::size_t kRows = 1 << 13;
    for (std::uint64_t at = 0; at < size; at += kRows * kSeenBytes) {
      QIAO_ASSIGN(const std::string rows, file_->read_at(at, kRows * kSeenBytes));
      for (std::size_t row = 0; row + kSeenBytes <= rows.size(); row += kSeenBytes) {
        std::uint64_t hash = 0;
        MinHash places{};
        std::memcpy(&hash, rows.data() + row, sizeof hash);
        std::memcpy(places.data(), rows.data() + row + sizeof hash, sizeof places);
        seen.add(hash, places);
      }
    }
    return {};
  }
  Status add(std::uint64_t hash, const MinHash& places) {
    char row[kSeenBytes];
    std::memcpy(row, &hash, sizeof hash);
    std::memcpy(row + sizeof hash, places.data(), sizeof places);
    waiting_.append(row, sizeof row);
    size_ += sizeof row;
    return waiting_.size() < kSeenWaitingBytes ? Status() : flush();
  }
  Status sync() {
    QIAO_TRY(flush());
    return file_->sync_data();
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  Status flush() {
    QIAO_TRY(file_->write_at(size_ - waiting_.size(), waiting_));
    waiting_.clear();
    return {};
  }
  Disk& disk_;
  std::string path_;
  std::unique_ptr<DiskFile> file_;
  std::string waiting_;
  std::uint64_t size_ = 0;
};

// One run of make_text_corpus().
class CorpusMaker {
 public:
  CorpusMaker(Disk& disk, const MakeCorpusOptions& options, Progress& progress,
              const std::atomic<bool>& stop, TextFiles files,
              std::shared_ptr<const TextCodec> codec)
      : disk_(disk),
        options_(options),
        progress_(progress),
        stop_(stop),
        files_(std::move(files)),
        codec_(std::move(codec)),
        partial_(options.out + ".partial"),
        expected_bytes_(std::max<std::uint64_t>(1, expected_bytes(files_))),
        spool_files_(
            std::clamp<std::size_t>(static_cast<std::size_t>(expected_bytes_ / kSpoolFileBytes) + 1,
                                    1, TextSpool::kFilesMax)),
        spool_(disk, partial_, spool_files_),
        seen_(static_cast<std::size_t>(options.memory_mb) << 20U, options.rules.near),
        seen_file_(disk, partial_ + kSeenName),
        texts_(disk, partial_),
        tokens_(disk, {partial_, codec_ == nullptr ? 0 : token_width(codec_->size()),
                       static_cast<std::uint64_t>(options.shard_tokens)}) {}

  Result<Json> run() {
    QIAO_TRY(begin());
    if (!reading_done_) QIAO_TRY(read_all());
    QIAO_TRY(write_all());
    return finish();
  }

 private:
  [[nodiscard]] Json identity() const {
    return {{"version", kStateVersion},
            {"inputs", inputs_print(files_)},
            {"rules", to_json(options_.rules)},
            {"vocabulary", codec_ == nullptr ? "" : fingerprint(*codec_)},
            {"memory_mb", options_.memory_mb},
            {"shard_tokens", options_.shard_tokens},
            {"seed", options_.seed}};
  }

  // -- the state
  Status begin() {
    const std::string path = partial_ + kStateName;
    if (!options_.resume || !disk_.exists(path)) {
      std::error_code ignored;
      fs::remove_all(partial_, ignored);
      QIAO_TRY(disk_.make_directories(partial_));
      QIAO_TRY(seen_file_.open(0, seen_));
      return spool_.open(std::vector<std::uint64_t>(spool_files_));
    }
    QIAO_ASSIGN(const Json state, read_json_file(path));
    if (state.value("identity", Json()) != identity()) {
      return Error{Code::kPrecondition,
                   partial_ +
                       " was begun with other texts or options: give those, or leave "
                       "--resume out to begin anew"};
    }
    return take_up(state);
  }

  Status take_up(const Json& state) {
    block_ = static_cast<std::uint64_t>(json_integer(state, "block").value_or(0));
    reading_done_ = json_bool(state, "reading_done").value_or(false);
    spool_file_ = static_cast<std::size_t>(json_integer(state, "spool_file").value_or(0));
    report_ = corpus_report_of(state.value("report", Json::object()));
    std::vector<std::uint64_t> sizes;
    for (const Json& size : state.value("spool", Json::array())) {
      sizes.push_back(size.is_number_unsigned() ? size.get<std::uint64_t>() : 0);
    }
    sizes.resize(spool_files_);
    QIAO_TRY(spool_.open(sizes));
    QIAO_TRY(seen_file_.open(static_cast<std::uint64_t>(json_integer(state, "seen").value_or(0)),
                             seen_));
    std::vector<TokenShard> tokens;
    std::vector<TextShard> texts;
    for (const Json& shard : state.value("shards", Json::array())) {
      if (codec_ != nullptr) {
        QIAO_ASSIGN(tokens.emplace_back(), token_shard_of(shard));
      } else {
        QIAO_ASSIGN(texts.emplace_back(), text_shard_of(shard));
      }
    }
    progress_.note(tr(progress_.language(), Text::kLearnResumed,
                      {std::to_string(reading_done_ ? spool_file_ : block_),
                       reading_done_ ? std::to_string(spool_files_) : "?"}));
    return codec_ != nullptr ? tokens_.resume(std::move(tokens)) : texts_.resume(std::move(texts));
  }

  [[nodiscard]] Json shards() const {
    Json all = Json::array();
    for (const TokenShard& shard : tokens_.shards()) all.push_back(to_json(shard));
    for (const TextShard& shard : texts_.shards()) all.push_back(to_json(shard));
    return all;
  }

  Status save() {
    saved_ = Clock::now();
    QIAO_TRY(spool_.sync());
    QIAO_TRY(seen_file_.sync());
    QIAO_TRY(codec_ != nullptr ? tokens_.sync() : texts_.sync());
    const Json state = {{"identity", identity()},        {"block", block_},
                        {"reading_done", reading_done_}, {"spool_file", spool_file_},
                        {"report", to_json(report_)},    {"spool", spool_.sizes()},
                        {"seen", seen_file_.size()},     {"shards", shards()}};
    return write_file_atomic(disk_, partial_ + kStateName, dump_json(state));
  }

  Error stopped() {
    if (Status saved = save(); !saved) return std::move(saved.error());
    return {Code::kCancelled, "stopped and saved in " + partial_ +
                                  ": the same command with --resume goes on from there"};
  }

  // -- the first pass
  struct JudgedBlock {
    std::size_t file = 0;
    std::size_t bytes = 0;
    std::vector<Judged> texts;
  };

  Status read_all() {
    BlockLanes lanes(files_.files, options_.rules.records);
    QIAO_TRY(lanes.skip(block_));
    progress_.begin(tr(progress_.language(), Text::kLearnCorpusReadingStage),
                    static_cast<std::int64_t>(expected_bytes_),
                    static_cast<std::int64_t>(report_.bytes_read));
    begun_ = Clock::now();
    begun_bytes_ = report_.bytes_read;
    OrderedWork<JudgedBlock> work;
    const auto last = static_cast<std::uint64_t>(options_.stop_after);
    work.more = [&, begun = block_]() mutable {
      enough_ = last > 0 && begun >= last;
      if (enough_ || !lanes.more()) return false;
      ++begun;
      return true;
    };
    work.work = [&](std::uint64_t item) -> Result<std::optional<JudgedBlock>> {
      QIAO_ASSIGN(const auto block, lanes.block(item));
      if (!block) return std::optional<JudgedBlock>();
      return std::optional<JudgedBlock>(
          JudgedBlock{block->file, block->bytes.size(),
                      judge_block(*block, files_.files[block->file].format, options_.rules)});
    };
    work.take = [&](std::uint64_t item, JudgedBlock block) { return take(item, block); };
    QIAO_TRY(run_in_order(work, static_cast<std::size_t>(options_.threads), block_, stop_));
    if (stop_.load() || enough_) return stopped();
    reading_done_ = true;
    if (report_.texts_kept == 0) {
      return invalid_argument("no text is left of " + std::to_string(report_.texts_read) +
                              " that were read" + first_dropped());
    }
    return save();
  }

  // "", or where the most frequent reason struck first.
  [[nodiscard]] std::string first_dropped() const {
    const auto most =
        std::max_element(report_.dropped.begin(), report_.dropped.end(),
                         [](const auto& a, const auto& b) { return a.texts < b.texts; });
    if (most->texts == 0) return "";
    const auto drop = static_cast<Drop>(most - report_.dropped.begin());
    return ": " + std::string(name_of(drop)) + " at " + most->first;
  }

  Status take(std::uint64_t item, const JudgedBlock& block) {
    const std::string& file = files_.files[block.file].path;
    for (const Judged& judged : block.texts) {
      ++report_.texts_read;
      const auto again =
          judged.drop ? SeenTexts::Verdict::kNew : seen_.find(judged.hash, judged.places);
      if (again != SeenTexts::Verdict::kNew) {
        report_.add_dropped(
            again == SeenTexts::Verdict::kSame ? Drop::kDuplicate : Drop::kNearDuplicate, file,
            judged.line);
        continue;
      }
      if (!judged.drop) QIAO_TRY(keep(judged));
      report_.add(judged, file);
    }
    report_.bytes_read += block.bytes;
    block_ = item + 1;
    show();
    return Clock::now() - saved_ > std::chrono::seconds(kSaveSeconds) ? save() : Status();
  }

  Status keep(const Judged& judged) {
    seen_.add(judged.hash, judged.places);
    QIAO_TRY(seen_file_.add(judged.hash, judged.places));
    const std::uint64_t chance =
        mix_seed(static_cast<std::uint64_t>(options_.seed), report_.texts_kept);
    return spool_.add(chance % spool_files_, judged.text);
  }

  void show() {
    const auto done = std::min(report_.bytes_read, expected_bytes_ * 99 / 100);
    progress_.step(static_cast<std::int64_t>(done), [&](double left) {
      const double seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
      const double megabytes = static_cast<double>(report_.bytes_read - begun_bytes_) / kMegabyte;
      return tr(progress_.language(), Text::kLearnCorpusBar,
                {fixed_text(megabytes / std::max(1e-3, seconds), 1),
                 std::to_string(report_.texts_kept), clock_text(left)});
    });
  }

  // -- the second pass
  Status write_all() {
    progress_.begin(tr(progress_.language(), Text::kLearnCorpusWritingStage),
                    static_cast<std::int64_t>(spool_files_),
                    static_cast<std::int64_t>(spool_file_));
    for (; spool_file_ < spool_files_; ++spool_file_) {
      if (Clock::now() - saved_ > std::chrono::seconds(kSaveSeconds)) QIAO_TRY(save());
      std::uint64_t offset = 0;
      for (std::uint64_t part = 0;; ++part) {
        QIAO_ASSIGN(auto texts, spool_.read(spool_file_, offset, kShuffleBytesMax));
        if (texts.empty()) break;
        shuffle(texts, part);
        QIAO_TRY(codec_ != nullptr ? write_tokens(texts) : write_texts(texts));
        if (stop_.load()) {
          return Error{Code::kCancelled, "stopped; saved in " + partial_ +
                                             ": the same command with --resume goes on"};
        }
      }
      progress_.step(static_cast<std::int64_t>(spool_file_), [&](double left) {
        return tr(progress_.language(), Text::kLearnCorpusBar,
                  {"-", std::to_string(report_.texts_kept), clock_text(left)});
      });
    }
    return codec_ != nullptr ? tokens_.close() : texts_.close();
  }

  void shuffle(std::vector<std::string>& texts, std::uint64_t part) const {
    Rng rng(mix_seed(mix_seed(static_cast<std::uint64_t>(options_.seed), UINT64_MAX - spool_file_),
                     part));
    for (std::size_t i = texts.size(); i > 1; --i) std::swap(texts[i - 1], texts[rng.below(i)]);
  }

  Status write_texts(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) QIAO_TRY(texts_.add(text));
    return {};
  }

  Status write_tokens(const std::vector<std::string>& texts) {
    using Encoded = std::vector<std::vector<std::int64_t>>;
    std::atomic<std::size_t> begun{0};
    OrderedWork<Encoded> work;
    work.more = [&] { return begun.fetch_add(kEncodeTexts) < texts.size(); };
    work.work = [&](std::uint64_t item) -> Result<std::optional<Encoded>> {
      const std::size_t first = item * kEncodeTexts;
      Encoded some;
      for (std::size_t i = first; i < std::min(first + kEncodeTexts, texts.size()); ++i) {
        QIAO_ASSIGN(auto ids, codec_->encode(texts[i]));
        if (ids.empty()) continue;  // nothing of it is in the vocabulary
        ids.push_back(codec_->end());
        some.push_back(std::move(ids));
      }
      return std::optional<Encoded>(std::move(some));
    };
    work.take = [&](std::uint64_t, const Encoded& some) -> Status {
      for (const auto& ids : some) QIAO_TRY(tokens_.add(ids));
      return {};
    };
    return run_in_order(work, static_cast<std::size_t>(options_.threads), 0, stop_);
  }

  // -- the end
  Result<Json> finish() {
    Json report = {{"files", files_.files.size()},
                   {"bytes_on_disk", files_.bytes()},
                   {"left_alone", files_.left_alone},
                   {"first_left_alone", files_.first_left_alone}};
    report.update(to_json(report_));
    // 0: each text was compared with all before it.
    report["compared_with"] = seen_.forgot() ? seen_.remembered_min() : 0;
    Json index = {{"kind", codec_ != nullptr ? "tokens" : "texts"},
                  {"rules", to_json(options_.rules)},
                  {"seed", options_.seed},
                  {"texts", report_.texts_kept}};
    if (codec_ != nullptr) QIAO_TRY(describe_tokens(index, report));
    index["shards"] = shards();
    const std::pair<const char*, const Json*> files[] = {{"/report.json", &report},
                                                         {"/index.json", &index}};
    for (const auto& [name, json] : files) {
      QIAO_TRY(write_json_file(disk_, partial_ + name, *json));
    }
    for (const char* name : {kStateName, kSeenName}) {  // first the state, which needs the others
      if (disk_.exists(partial_ + name)) QIAO_TRY(disk_.remove(partial_ + name));
    }
    QIAO_TRY(spool_.remove());
    QIAO_TRY(disk_.rename(partial_, options_.out));
    return report;
  }

  Status describe_tokens(Json& index, Json& report) {
    const std::string folder = partial_ + "/" + kTokenizerFolder;
    QIAO_TRY(disk_.make_directories(folder));
    QIAO_TRY(codec_->save(disk_, folder));
    std::uint64_t tokens = 0;
    for (const TokenShard& shard : tokens_.shards()) tokens += shard.tokens;
    index["vocabulary"] = codec_->size();
    index["vocabulary_sha256"] = fingerprint(*codec_);
    index["token_bytes"] = token_width(codec_->size());
    index["tokens"] = tokens;
    report["tokens"] = tokens;
    report["token_files"] = tokens_.shards().size();
    return {};
  }

  Disk& disk_;
  const MakeCorpusOptions& options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  const TextFiles files_;
  const std::shared_ptr<const TextCodec> codec_;  // null: texts are written
  const std::string partial_;
  const std::uint64_t expected_bytes_;
  const std::size_t spool_files_;
  TextSpool spool_;
  SeenTexts seen_;
  SeenFile seen_file_;
  TextShardWriter texts_;
  TokenShardWriter tokens_;
  CorpusReport report_;
  std::uint64_t block_ = 0;  // the next to be read
  std::size_t spool_file_ = 0;
  bool reading_done_ = false;
  bool enough_ = false;  // stop_after is reached
  Clock::time_point saved_ = Clock::now();
  Clock::time_point begun_;
  std::uint64_t begun_bytes_ = 0;
};

Status check_options(Disk& disk, const MakeCorpusOptions& options) {
  constexpr std::int64_t kMemoryMax = 1 << 20;
  constexpr std::int64_t kShardMin = 1 << 10;
  if (options.rules.near < 0 || options.rules.near > 1 || options.rules.characters_min < 0 ||
      options.memory_mb < 1 || options.memory_mb > kMemoryMax || options.shard_tokens < kShardMin ||
      options.threads < 1) {
    return invalid_argument("--near, --least, --memory or --shard-tokens is out of range");
  }
  return check_free(disk, options.out);
}

}  // namespace

Result<Json> make_text_corpus(Disk& disk, const MakeCorpusOptions& options, Progress& progress,
                              const std::atomic<bool>& stop) {
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(TextFiles files, find_text_files(options.in, options.format));
  std::shared_ptr<const TextCodec> codec;
  if (!options.tokenizer.empty()) {
    QIAO_ASSIGN(codec, open_text_codec(options.tokenizer));
    if (codec->end() < 0) {
      return invalid_argument(options.tokenizer + " has no token that ends a text");
    }
  }
  progress.note(tr(progress.language(), Text::kLearnCorpusPlan,
                   {std::to_string(files.files.size()),
                    fixed_text(static_cast<double>(files.bytes()) / kMegabyte, 1),
                    std::to_string(options.threads)}));
  CorpusMaker maker(disk, options, progress, stop, std::move(files), std::move(codec));
  return maker.run();
}

}  // namespace qiao::learn
