// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/bench_rig.h"

#include <fstream>

#include "log/memory_log.h"
#include "log/segment_log.h"

namespace qiao::cli {
namespace {

Result<std::filesystem::path> make_folder(const std::string& parent) {
  std::error_code fault;
  const std::filesystem::path above =
      parent.empty() ? std::filesystem::temp_directory_path(fault) : std::filesystem::path(parent);
  std::filesystem::path path = above / ("qiao-bench-" + random_hex(8));
  if (!fault) std::filesystem::create_directories(path, fault);
  if (fault)
    return unavailable("cannot make a folder in " + above.string() + ": " + fault.message());
  return path;
}

}  // namespace

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

Result<std::unique_ptr<BenchRig>> BenchRig::make(const BenchRigOptions& options) {
  auto rig = std::unique_ptr<BenchRig>(new BenchRig(options));
  if (options.memory) {
    rig->log_ = std::make_unique<MemoryLog>();
  } else {
    QIAO_ASSIGN(rig->folder_, make_folder(options.directory));
  }
  QIAO_TRY(rig->open());
  return rig;
}

BenchRig::~BenchRig() {
  if (broker_) broker_->stop();
  loop_.stop();
  broker_.reset();
  log_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Status BenchRig::open() {
  if (!options_.memory) {
    SegmentLogOptions options;
    options.directory = folder_.string();
    options.sync = options_.fsync;
    QIAO_ASSIGN(log_, SegmentLog::open(disk_, options));
  }
  BrokerOptions options;
  options.body_cache_bytes = options_.body_cache_bytes;
  QIAO_ASSIGN(broker_, Broker::open(*log_, loop_, clock_, ids_, metrics_, options));
  return {};
}

Status BenchRig::reopen(bool orderly) {
  if (orderly) broker_->stop();
  broker_.reset();
  QIAO_TRY(log_->close());
  log_.reset();
  return open();
}

std::uint64_t BenchRig::log_bytes() const {
  std::uint64_t bytes = 0;
  std::error_code fault;
  for (const auto& file : std::filesystem::directory_iterator(folder_, fault))
    bytes += file.file_size(fault);
  return bytes;
}

}  // namespace qiao::cli
