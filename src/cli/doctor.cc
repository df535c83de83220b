// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/disk.h"
#include "base/i18n.h"
#include "base/random.h"
#include "cli/about.h"
#include "cli/learn_program.h"
#include "cli/progress.h"
#include "model/catalogue/catalogue.h"
#include "server/config.h"
#include "server/default_models.h"

namespace qiao::cli {
namespace {

constexpr int kSyncs = 20;
constexpr double kSyncMsSlow = 20;
constexpr std::uint64_t kFreeBytesLow = 2ULL << 30;
constexpr std::uint64_t kFreeBytesNone = 200ULL << 20;

using Checks = std::vector<Check>;

std::string milliseconds(double ms) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f ms", ms);
  return buffer;
}

// The nearest folder that is there: where the data directory would be made.
std::filesystem::path nearest_folder(const std::filesystem::path& path) {
  std::error_code fault;
  std::filesystem::path folder = std::filesystem::absolute(path, fault);
  while (!std::filesystem::is_directory(folder, fault) && folder.has_relative_path())
    folder = folder.parent_path();
  return folder;
}

class Examination {
 public:
  Examination(const Session& session, const DoctorOptions& options)
      : session_(session), options_(options) {}

  Checks run() {
    const auto config = load_config({});
    if (!config) {
      add("config", Health::kFail, config.error().message, Text::kCliDoctorConfig);
    } else {
      add("config", Health::kOk, session_.say(Text::kCliDoctorConfigOk));
    }
    const std::string data = session_.data.empty() && config ? config->data : session_.data;
    check_data(data.empty() ? session_.data_directory() : data);
    const std::string listen = options_.listen.empty() && config ? config->listen : options_.listen;
    check_server(listen);
    check_engine();
    check_models();
    check_threads();
    check_learning();
    return std::move(checks_);
  }

 private:
  void add(const std::string& name, Health health, std::string found) {
    checks_.push_back({name, health, std::move(found), {}});
  }
  void add(const std::string& name, Health health, std::string found, Text advice,
           std::initializer_list<std::string_view> args = {}) {
    checks_.push_back({name, health, std::move(found), session_.say(advice, args)});
  }

  void check_data(const std::string& directory) {
    const std::filesystem::path folder = nearest_folder(directory);
    std::error_code fault;
    const auto space = std::filesystem::space(folder, fault);
    const std::string free = human_bytes(fault ? 0 : space.available);
    if (space.available < kFreeBytesNone) {
      add("disk", Health::kFail, session_.say(Text::kCliDoctorFree, {free, folder.string()}),
          Text::kCliDoctorFreeUp);
    } else if (space.available < kFreeBytesLow) {
      add("disk", Health::kWarn, session_.say(Text::kCliDoctorFree, {free, folder.string()}),
          Text::kCliDoctorFreeUp);
    } else {
      add("disk", Health::kOk, session_.say(Text::kCliDoctorFree, {free, folder.string()}));
    }
    check_sync(folder);
  }

  // How long the disk takes to make a small write safe: what every acked message waits for.
  void check_sync(const std::filesystem::path& folder) {
    SystemDisk disk;
    const std::string path = (folder / (".qiao-doctor-" + random_hex(4))).string();
    auto file = disk.open(path, OpenMode::kCreateNew);
    if (!file) {
      add("data", Health::kFail, file.error().message, Text::kCliDoctorWritable, {folder.string()});
      return;
    }
    add("data", Health::kOk, session_.say(Text::kCliDoctorWrites, {folder.string()}));
    const auto sync_ms = median_sync_ms(**file);
    file->reset();
    const Status removed = disk.remove(path);
    if (!sync_ms || !removed) {
      add("sync", Health::kFail, (sync_ms ? removed.error() : sync_ms.error()).message,
          Text::kCliDoctorDisk);
    } else if (*sync_ms > kSyncMsSlow) {
      add("sync", Health::kWarn, milliseconds(*sync_ms), Text::kCliDoctorSlowSync);
    } else {
      add("sync", Health::kOk, milliseconds(*sync_ms));
    }
  }

  static Result<double> median_sync_ms(DiskFile& file) {
    const SystemClock clock;
    const std::string block(4096, 'q');
    std::vector<double> times;
    for (int i = 0; i < kSyncs; ++i) {
      const std::int64_t begin_us = clock.steady_us();
      QIAO_TRY(file.write_at(static_cast<std::uint64_t>(i) * block.size(), block));
      QIAO_TRY(file.sync_data());
      times.push_back(static_cast<double>(clock.steady_us() - begin_us) / 1000);
    }
    std::nth_element(times.begin(), times.begin() + kSyncs / 2, times.end());
    return times[kSyncs / 2];
  }

  // A port in use is well when it is our own server that uses it.
  void check_server(const std::string& listen) {
    const auto address = find_server(session_.server, session_.data_directory());
    const bool known = address.has_value();
    const auto status = known ? Client(*address).call("GET", "/v1/status", nullptr, 3'000)
                              : Result<Json>(unavailable(""));
    if (status) {
      add("server", Health::kOk,
          session_.say(Text::kCliDoctorServer,
                       {address->url, json_string(*status, "version").value_or("?")}));
      return;
    }
    add("server", Health::kOk, session_.say(Text::kCliDoctorNoServer));
    if (port_is_free(listen)) {
      add("port", Health::kOk, session_.say(Text::kCliDoctorPortFree, {listen}));
    } else {
      add("port", Health::kWarn, session_.say(Text::kCliDoctorPortBusy, {listen}),
          Text::kCliDoctorPort);
    }
  }

  static bool port_is_free(const std::string& listen) {
    const std::size_t colon = listen.rfind(':');
    if (colon == std::string::npos) return false;
    std::string host = listen.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), listen.c_str() + colon + 1, &hints, &found) != 0) return false;
    const int fd = ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool free = ::bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    ::close(fd);
    ::freeaddrinfo(found);
    return free;
  }

  void check_engine() {
    if (with_llama()) {
      add("engine", Health::kOk, session_.say(Text::kCliDoctorLlama));
    } else {
      add("engine", Health::kWarn, session_.say(Text::kCliDoctorNoLlama),
          Text::kCliDoctorBuildLlama);
    }
  }

  void check_models() {
    const std::string directory = default_models_directory();
    const auto wanted = default_models(directory, "");
    for (const auto& [name, pull] : {std::pair{"chat", "qwen2.5-coder-1.5b"},
                                     {"encoder-zh", "bge-small-zh"},
                                     {"encoder-en", "minilm-l6"}}) {
      const auto found = wanted.find(name);
      if (found == wanted.end()) {
        add(name, Health::kWarn, session_.say(Text::kCliDoctorNoModel, {directory}),
            Text::kCliDoctorPull, {pull});
        continue;
      }
      check_model(name, found->second.path);
    }
  }

  void check_model(const std::string& name, const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    const Status whole =
        options_.verify ? verify_model(folder.parent_path().string(), folder.filename().string())
                        : Status();
    if (whole) {
      add(name, Health::kOk, path);
    } else {
      add(name, Health::kFail, whole.error().message, Text::kCliDoctorPull,
          {folder.filename().string()});
    }
  }

  void check_threads() {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned encoder = std::clamp(cores - 1, 1U, 4U);
    const std::string found =
        session_.say(Text::kCliDoctorCores, {std::to_string(cores), std::to_string(encoder)});
    if (cores >= 2) {
      add("threads", Health::kOk, found);
    } else {
      add("threads", Health::kWarn, found, Text::kCliDoctorOneCore);
    }
  }

  void check_learning() {
    const Result<Json> told = about_learning();
    if (!told) {
      add("learning", Health::kWarn, told.error().message, Text::kCliDoctorBuildLearn);
      return;
    }
    const std::string libtorch = json_string(*told, "libtorch").value_or("?");
    add("learning", Health::kOk, session_.say(Text::kCliDoctorLearn, {learn_program(), libtorch}));
    check_blas(json_string(*told, "blas").value_or(""),
               json_string(*told, "blas_file").value_or(""));
  }

  void check_blas(const std::string& name, const std::string& file) {
    const std::string within = session_.say(Text::kCliDoctorBlasWithin);
    const std::string found = session_.say(
        Text::kCliDoctorBlas, {name.empty() ? "BLAS" : name, file.empty() ? within : file});
    if (name == "reference") {
      add("blas", Health::kWarn, found, Text::kCliDoctorInstallBlas);
    } else {
      add("blas", Health::kOk, found);
    }
  }

  const Session& session_;
  const DoctorOptions& options_;
  Checks checks_;
};

}  // namespace

std::vector<Check> examine(const Session& session, const DoctorOptions& options) {
  return Examination(session, options).run();
}

}  // namespace qiao::cli
