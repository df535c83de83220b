// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/disk.h"
#include "model/catalogue/catalogue.h"
#include "model/catalogue/pull_place.h"
#include "model/catalogue/pull_source.h"
#include "model/convert/convert_bert.h"

namespace qiao {
namespace model {
namespace {

constexpr std::uint64_t kFreeMargin = 64 << 20;
constexpr std::string_view kGgufMagic = "GGUF";

// One model being pulled. The steps of run() stand in order.
class Pull {
 public:
  Pull(const CatalogueEntry& entry, ModelPlace place,
       const std::function<void(const PullProgress&)>& progress, std::stop_token stop)
      : entry_(entry), place_(std::move(place)), progress_(progress), stop_(std::move(stop)) {}

  Result<std::string> run() {
    QIAO_TRY(check_entry());
    if (installed()) return place_.gguf;
    QIAO_TRY(disk_.make_directories(place_.partial_directory));
    auto lock = DirectoryLock::acquire(place_.partial_directory);
    if (!lock && lock.error().code == Code::kConflict) {
      return Error{Code::kConflict,
                   entry_.name + " is being pulled by another process; wait for it"};
    }
    if (!lock) return std::move(lock.error());
    if (installed()) return place_.gguf;  // by the one who had the lock
    QIAO_TRY(check_space());
    QIAO_ASSIGN(const ModelSource* source, fetch());
    QIAO_TRY(build(*source));
    QIAO_TRY(install());
    return place_.gguf;
  }

 private:
  Status check_entry() const {
    QIAO_TRY(check_model_name(entry_.name));
    const bool named = std::all_of(entry_.files.begin(), entry_.files.end(),
                                   [](const ModelFile& file) { return is_model_name(file.name); });
    if (named && !entry_.files.empty() && !entry_.sources.empty()) return {};
    return invalid_argument("the catalogue's entry " + entry_.name + " names no files or sources");
  }

  // Whole by its card, and of the version the catalogue means.
  [[nodiscard]] bool installed() const {
    const Result<ModelCard> card = read_card(place_.card);
    std::error_code fault;
    const std::uint64_t bytes = std::filesystem::file_size(place_.gguf, fault);
    return card && !fault && bytes == card->bytes &&
           (entry_.convert.empty() || card->converter == kConverterVersion) &&
           (entry_.sha256.empty() || card->fetched == entry_.sha256);
  }

  [[nodiscard]] Status check_space() const {
    std::error_code fault;
    const auto space = std::filesystem::space(place_.partial_directory, fault);
    if (fault) return {};  // the writes will tell
    const std::uint64_t there = tree_bytes(place_.partial_directory);
    // The largest package lies beside what is joined already; a conversion writes a second file.
    const std::uint64_t all = entry_.bytes + (entry_.convert.empty() ? 0 : entry_.bytes);
    const std::uint64_t needed = all - std::min(all, there) + kFreeMargin;
    if (space.available >= needed) return {};
    const auto mebibytes = [](std::uint64_t bytes) { return std::to_string(bytes >> 20U); };
    return unavailable("pulling " + entry_.name + " needs " + mebibytes(needed) + " MiB, " +
                       place_.partial_directory + " has " + mebibytes(space.available) +
                       " MiB free; free some space or set QIAO_MODELS");
  }

  void report(std::string_view step, std::uint64_t done, std::uint64_t total) const {
    if (progress_) progress_({std::string(step), done, total});
  }

  // Tries the sources in order until one gives all files whole.
  Result<const ModelSource*> fetch() {
    Error last;
    std::string reasons;
    for (const ModelSource& source : entry_.sources) {
      const auto progress = [this](std::uint64_t done) { report("fetch", done, entry_.bytes); };
      Status done = fetch_source(entry_, source, place_, progress, stop_);
      if (done) done = verify_files();
      if (done) return &source;
      if (done.error().code == Code::kCancelled) return std::move(done.error());
      reasons +=
          (reasons.empty() ? "" : "; ") + describe_source(source) + ": " + done.error().message;
      // The first reason is the one to act on: later sources are second choices.
      if (&source == &entry_.sources.front()) last.code = done.error().code;
    }
    last.message = "cannot pull " + entry_.name + ": " + reasons;
    return last;
  }

  Status verify_files() {
    for (const ModelFile& file : entry_.files) {
      if (file.sha256.empty()) continue;
      report("verify", 0, entry_.bytes);
      QIAO_ASSIGN(const std::string found, sha256_file_hex(place_.partial(file.name)));
      if (found == file.sha256) continue;
      QIAO_TRY(forget_partial(entry_, place_));
      return Error{Code::kCorrupt, file.name + " has the SHA-256 " + found + ", not " +
                                       file.sha256 +
                                       ": it was damaged on the way or the source "
                                       "changed; nothing was installed"};
    }
    report("verify", entry_.bytes, entry_.bytes);
    return {};
  }

  // Makes the folder `ready` with model.gguf and card.json.
  Status build(const ModelSource& source) {
    const std::string ready = place_.partial("ready");
    QIAO_TRY(remove_tree(ready));
    QIAO_TRY(disk_.make_directories(ready));
    const std::string gguf = ready + "/model.gguf";
    if (entry_.convert.empty()) {
      QIAO_TRY(check_gguf(place_.partial(entry_.files.front().name)));
      QIAO_TRY(disk_.rename(place_.partial(entry_.files.front().name), gguf));
    } else {
      QIAO_TRY(convert(gguf));
    }
    QIAO_ASSIGN(const std::string digest, sha256_file_hex(gguf));
    std::error_code fault;
    ModelCard card;
    card.name = entry_.name;
    card.kind = entry_.kind;
    card.licence = entry_.licence;
    card.source = describe_source(source);
    card.gguf = digest;
    card.fetched = entry_.sha256.empty() ? digest : entry_.sha256;
    card.bytes = std::filesystem::file_size(gguf, fault);
    card.convert = entry_.convert;
    card.converter = entry_.convert.empty() ? 0 : kConverterVersion;
    card.pooling = entry_.pooling;
    return write_card(ready + "/card.json", card);
  }

  Status convert(const std::string& gguf) {
    const auto path_of = [this](std::string_view name) {
      for (const ModelFile& file : entry_.files) {
        if (file.name == name) return place_.partial(file.name);
      }
      return std::string();
    };
    BertFiles files{entry_.convert, place_.partial(entry_.files.front().name),
                    path_of("tokenizer.json"), path_of("config.json")};
    if (files.tokenizer.empty()) files.tokenizer = path_of("vocab.txt");
    const auto progress = [this](std::uint64_t done, std::uint64_t total) {
      report("convert", done, total);
    };
    return convert_bert(files, entry_.hints, entry_.name, gguf, progress, stop_);
  }

  static Status check_gguf(const std::string& path) {
    SystemDisk disk;
    QIAO_ASSIGN(const auto file, disk.open(path, OpenMode::kRead));
    QIAO_ASSIGN(const std::string magic, file->read_at(0, kGgufMagic.size()));
    if (magic == kGgufMagic) return {};
    return Error{Code::kCorrupt, path + " is not a GGUF file"};
  }

  // One rename puts the model in place; what was there (an older or damaged one) goes first.
  Status install() {
    const std::string old = place_.partial("old");
    QIAO_TRY(remove_tree(old));
    if (disk_.exists(place_.final_directory)) QIAO_TRY(disk_.rename(place_.final_directory, old));
    QIAO_TRY(disk_.rename(place_.partial("ready"), place_.final_directory));
    const std::string models = std::filesystem::path(place_.final_directory).parent_path().string();
    QIAO_TRY(disk_.sync_directory(models));
    QIAO_TRY(remove_tree(old));
    return forget_partial(entry_, place_);
  }

  const CatalogueEntry& entry_;
  const ModelPlace place_;
  const std::function<void(const PullProgress&)>& progress_;
  std::stop_token stop_;
  mutable SystemDisk disk_;
};

}  // namespace
}  // namespace model

Result<std::string> pull_model(const CatalogueEntry& entry, const std::string& models_directory,
                               const std::function<void(const PullProgress&)>& progress,
                               std::stop_token stop) {
  return model::Pull(entry, model::ModelPlace(models_directory, entry.name), progress,
                     std::move(stop))
      .run();
}

}  // namespace qiao
