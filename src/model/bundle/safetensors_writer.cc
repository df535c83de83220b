// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/safetensors_writer.h"

#include <cstring>
#include <string_view>

#include "base/json.h"

namespace qiao::model {
namespace {

std::uint64_t bytes_of(const NamedValues& tensor) {
  std::uint64_t count = tensor.int8 != nullptr ? 1 : sizeof(float);
  for (const std::int64_t side : tensor.shape) count *= static_cast<std::uint64_t>(side);
  return count;
}

// The eight bytes of length and the JSON header, padded so that values begin on 8 bytes.
std::string header_of(const std::vector<NamedValues>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const NamedValues& tensor : tensors) {
    const std::uint64_t end = at + bytes_of(tensor);
    header[tensor.name] = {{"dtype", tensor.int8 != nullptr ? "I8" : "F32"},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = dump_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t size = text.size();
  std::string length(8, '\0');
  std::memcpy(length.data(), &size, 8);
  return length + text;
}

Status write_all(DiskFile& file, const std::vector<NamedValues>& tensors,
                 const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(tensors, metadata);
  QIAO_TRY(file.write_at(0, header));
  std::uint64_t at = header.size();
  for (const NamedValues& tensor : tensors) {
    const std::uint64_t size = bytes_of(tensor);
    const auto* begin = tensor.int8 != nullptr ? reinterpret_cast<const char*>(tensor.int8)
                                               : reinterpret_cast<const char*>(tensor.values);
    const std::string_view bytes(begin, size);
    if (Status written = file.write_at(at, bytes); !written) {
      return std::move(written.error()).with("tensor " + tensor.name);
    }
    at += size;
  }
  return file.sync_data();
}

}  // namespace

Status write_safetensors(Disk& disk, const std::string& path,
                         const std::vector<NamedValues>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  const std::string beside = path + ".partial";
  if (disk.exists(beside)) QIAO_TRY(disk.remove(beside));
  {
    QIAO_ASSIGN(const auto file, disk.open(beside, OpenMode::kCreateNew));
    if (Status written = write_all(*file, tensors, metadata); !written) {
      static_cast<void>(disk.remove(beside));  // the first fault is the one to tell
      return written;
    }
  }
  return disk.rename(beside, path);
}

}  // namespace qiao::model
