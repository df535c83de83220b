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
#include "model/gguf/gguf_check.h"

namespace qiao {
namespace model {
namespace {

constexpr std::uint64_t kFreeMargin = 64 << 20;

// One model being pulled. The steps of run() stand in order.
class Pull {
 public:
  Pull(CatalogueEntry entry, ModelPlace place,
       const std::function<void(const PullProgress&)>& progress, std::stop_token stop)
      : entry_(std::move(entry)),
        place_(std::move(place)),
        progress_(progress),
        stop_(std::move(stop)) {}

  Result<std::string> run() {
    QIAO_TRY(check_entry());
    if (is_here()) QIAO_TRY(look_at_files());
    if (installed()) return place_.gguf;
    QIAO_TRY(disk_.make_directories(place_.partial_directory));
    auto lock = DirectoryLock::acquire(place_.partial_directory);
    if (!lock && lock.error().code == Code::kConflict) {
      return Error{Code::kConflict,
                   entry_.name + " is being pulled by another process; wait for it"};
    }
    if (!lock) return std::move(lock.error());
    if (installed()) return place_.gguf;  // by the one who had the lock
    QIAO_TRY(check_name());
    if (Status made = make(); !made) {
      // What cannot be removed only takes room.
      static_cast<void>(remove_tree(place_.partial("ready")));
      if (is_here()) static_cast<void>(forget_partial(entry_, place_));  // nothing to resume
      return std::move(made.error());
    }
    return place_.gguf;
  }

 private:
  Status make() {
    QIAO_TRY(check_space());
    QIAO_ASSIGN(const ModelSource* source, fetch());
    QIAO_TRY(build(*source));
    return install();
  }

  [[nodiscard]] std::string own_source() const { return describe_source(entry_.sources.front()); }
  // A file or folder of this machine: what is to be converted is read where it lies.
  [[nodiscard]] bool is_here() const { return entry_.sources.front().client == "file"; }
  [[nodiscard]] bool is_read_in_place() const { return is_here() && !entry_.convert.empty(); }
  // Where a file of the entry is read; "" when there is none of that name.
  [[nodiscard]] std::string path_of(std::string_view name) const {
    for (const ModelPart& part : entry_.sources.front().parts) {
      if (is_read_in_place() && part.file == name) return part.package;
    }
    for (const ModelFile& file : entry_.files) {
      if (!is_read_in_place() && file.name == name) return place_.partial(file.name);
    }
    return {};
  }

  // What the catalogue says of its own: the hashes, and that they are models at all.
  Status look_at_files() {
    std::string sums = entry_.pooling + " " + std::to_string(entry_.hints.lowercase) + "\n";
    const std::vector<ModelPart>& parts = entry_.sources.front().parts;
    if (entry_.convert.empty()) {
      QIAO_ASSIGN(entry_.kind, kind_of_gguf(parts.front().package));
    }
    std::uint64_t read = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      report("verify", read, entry_.bytes);
      read += entry_.files[i].bytes;
      QIAO_ASSIGN(entry_.files[i].sha256, sha256_file_hex(parts[i].package));
      sums += entry_.files[i].name + " " + entry_.files[i].sha256 + "\n";
    }
    entry_.sha256 = entry_.convert.empty() ? entry_.files.front().sha256 : sha256_hex(sums);
    return {};
  }

  // What stands under the name is no other model: an older version, a damaged one, or nothing.
  Status check_name() {
    if (disk_.exists(place_.final_directory + "/bundle.json")) {
      return Error{Code::kAlreadyExists,
                   entry_.name + " is a bundle; give the model another name with --name"};
    }
    const Result<ModelCard> card = read_card(place_.card);
    const bool named = is_here() || entry_.sha256.empty();  // by a person, or the one there was
    if (!card || card->source == own_source() || !(named || card->source.starts_with("file: ")))
      return {};
    return Error{Code::kAlreadyExists, entry_.name + " is another model already (" + card->source +
                                           "); give this one another name with --name, or remove "
                                           "that one: qiao model rm " +
                                           entry_.name};
  }

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
           (entry_.sha256.empty() ? card->source == own_source() : card->fetched == entry_.sha256);
  }

  [[nodiscard]] Status check_space() const {
    std::error_code fault;
    const auto space = std::filesystem::space(place_.partial_directory, fault);
    if (fault) return {};  // the writes will tell
    const std::uint64_t there = tree_bytes(place_.partial_directory);
    // The largest package lies beside what is joined already; a conversion writes a second file.
    const bool twice = !entry_.convert.empty() && !is_read_in_place();
    const std::uint64_t all = entry_.bytes + (twice ? entry_.bytes : 0);
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
    if (is_read_in_place()) return &entry_.sources.front();
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
      const std::string whole = path_of(entry_.files.front().name);
      QIAO_ASSIGN(const std::string kind, kind_of_gguf(whole));
      if (entry_.sha256.empty()) entry_.kind = kind;
      QIAO_TRY(disk_.rename(whole, gguf));
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
    BertFiles files{entry_.convert, path_of(entry_.files.front().name), path_of("tokenizer.json"),
                    path_of("config.json")};
    if (files.tokenizer.empty()) files.tokenizer = path_of("vocab.txt");
    const auto progress = [this](std::uint64_t done, std::uint64_t total) {
      report("convert", done, total);
    };
    Status done = convert_bert(files, entry_.hints, entry_.name, gguf, progress, stop_);
    if (!done) done.error().message = "cannot convert " + entry_.name + ": " + done.error().message;
    return done;
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

  CatalogueEntry entry_;  // with what is learnt of a file or folder named by a person
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
