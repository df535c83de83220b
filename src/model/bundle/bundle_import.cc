// SPDX-License-Identifier: Apache-2.0
// A bundle of qiao-learn to a version that can be served.
#include <unistd.h>

#include <filesystem>

#include "base/digest.h"
#include "base/disk.h"
#include "model/bundle/bundle_store.h"
#include "model/bundle/head_tensors.h"
#include "model/bundle/safetensors_writer.h"
#include "model/bundle/table_encoder.h"
#include "model/bundle/text_head.h"
#include "model/catalogue/pull_place.h"
#include "model/convert/convert_bert.h"

namespace qiao {
namespace model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGgufFile = "model.gguf";
constexpr std::size_t kTableBytesMax = std::size_t{1} << 30;
constexpr const char* kCopied[] = {"config.json", "labels.json", "tokenizer.json", "card.json"};

// The name of what is in `folder`: every file counts that changes an answer.
Result<std::string> version_of(const std::string& folder) {
  std::string sums = "converter " + std::to_string(kConverterVersion) + "\n";
  for (const char* file : {"model.safetensors", kCopied[0], kCopied[1], kCopied[2], kCopied[3]}) {
    QIAO_ASSIGN(const std::string sum, sha256_file_hex(folder + "/" + file));
    sums.append(file).append(" ").append(sum).append("\n");
  }
  return sha256_hex(sums).substr(0, kVersionDigits);
}

Status copy_small_files(Disk& disk, const std::string& from, const std::string& to) {
  for (const char* file : kCopied) {
    QIAO_ASSIGN(const std::string bytes, read_file(from + "/" + file));
    QIAO_TRY(write_file_atomic(disk, to + "/" + file, bytes));
  }
  return {};
}

Status write_head(Disk& disk, const std::string& path, const TextHead& head) {
  const auto rows = static_cast<std::int64_t>(head.names().size());
  const auto width = static_cast<std::int64_t>(head.width());
  std::vector<NamedValues> tensors = {{kHeadWeight, {rows, width}, head.weights().data()},
                                      {kHeadBias, {rows}, head.biases().data()}};
  if (!head.transitions().empty()) {
    tensors.push_back({kHeadTransitions, {rows, rows}, head.transitions().data()});
  }
  return write_safetensors(disk, path, tensors, {{"format", "pt"}});
}

// What stands beside the encoder, which is `file`; last the note that the version is whole.
Status finish(Disk& disk, const std::string& folder, const std::string& ready, const TextHead& head,
              const char* file) {
  QIAO_TRY(copy_small_files(disk, folder, ready));
  QIAO_TRY(write_head(disk, ready + "/head.safetensors", head));
  const std::string path = ready + "/" + file;
  QIAO_ASSIGN(const std::string digest, sha256_file_hex(path));
  std::error_code fault;
  const Json import = {{"from", folder},
                       {"encoder", file},
                       {"gguf_sha256", digest},
                       {"gguf_bytes", fs::file_size(path, fault)},
                       {"converter", kConverterVersion}};
  return write_file_atomic(disk, ready + "/import.json", dump_json(import, 2) + "\n");
}

// Everything a version holds, into the empty folder `ready`.
Status build(Disk& disk, const std::string& name, const std::string& folder,
             const std::string& ready) {
  const std::string weights = folder + "/model.safetensors";
  QIAO_ASSIGN(const TextHead head, TextHead::read(folder, weights));
  QIAO_ASSIGN(const bool table, is_table(folder));
  if (table) {
    QIAO_ASSIGN(const std::string bytes, read_file(weights, kTableBytesMax));
    QIAO_TRY(write_file_atomic(disk, ready + "/" + kTableFile, bytes));
    return finish(disk, folder, ready, head, kTableFile);
  }
  ConvertHints hints;
  hints.pooling = head.task() == HeadTask::kTag ? "mean" : head.pooling();
  const BertFiles files{"bert-safetensors", weights, folder + "/tokenizer.json",
                        folder + "/config.json"};
  const std::string gguf = ready + "/" + kGgufFile;
  QIAO_TRY(convert_bert(files, hints, name, gguf, nullptr));
  return finish(disk, folder, ready, head, kGgufFile);
}

}  // namespace
}  // namespace model

Result<std::string> import_bundle(const std::string& models_directory, const std::string& name,
                                  const std::string& folder) {
  QIAO_TRY(model::check_model_name(name));
  SystemDisk disk;
  if (!disk.exists(folder + "/labels.json") || !disk.exists(folder + "/model.safetensors")) {
    return not_found(folder + " is no bundle: it lacks labels.json or model.safetensors; " +
                     "`qiao train finetune` writes one");
  }
  const model::ModelPlace place(models_directory, name);
  if (disk.exists(place.gguf)) {
    return Error{Code::kAlreadyExists, name + " is a model already; give the bundle another name"};
  }
  QIAO_ASSIGN(std::string version, model::version_of(folder));
  if (version_folder(models_directory, name, version)) return version;
  const std::string versions = place.final_directory + "/versions";
  const std::string ready = place.partial("import-" + std::to_string(::getpid()) + "-" + version);
  QIAO_TRY(model::remove_tree(ready));
  QIAO_TRY(disk.make_directories(ready));
  Status built = model::build(disk, name, folder, ready);
  if (built) built = disk.make_directories(versions);
  if (built) built = disk.rename(ready, versions + "/" + version);
  if (built) built = disk.sync_directory(versions);
  if (!built) {
    QIAO_TRY(model::remove_tree(ready));
    // Another program may have put the same version there meanwhile.
    if (!version_folder(models_directory, name, version)) return std::move(built.error());
  }
  return version;
}

}  // namespace qiao
