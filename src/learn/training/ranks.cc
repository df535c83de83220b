// SPDX-License-Identifier: Apache-2.0
#define USE_C10D_GLOO  // libtorch was built with it; its header asks
#include "learn/training/ranks.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#if __has_include(<gloo/algorithm.h>)
#define QIAO_HAS_GLOO
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif

#include "base/disk.h"
#include "base/random.h"

namespace qiao::learn {
namespace {

constexpr const char* kRankVariable = "QIAO_LEARN_RANK";  // "rank/count/place" in the copies
constexpr const char* kHere = "127.0.0.1";
constexpr auto kStartMax = std::chrono::seconds(60);
// A process that dies closes its sockets a moment before it can be collected.
constexpr int kGoneTries = 50;
constexpr auto kGoneTryEvery = std::chrono::milliseconds(20);

// A copy of this program with the same arguments, which tells what it has to say in `told`.
Result<int> start_copy(char** arguments, const std::string& self, const std::string& told) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, told.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::setenv(kRankVariable, self.c_str(), 1);
  pid_t child = 0;
  const int fault = ::posix_spawn(&child, "/proc/self/exe", &files, nullptr, arguments, environ);
  ::unsetenv(kRankVariable);
  ::posix_spawn_file_actions_destroy(&files);
  if (fault != 0) return unavailable("another process could not be started");
  return child;
}

std::string told_file(const std::string& place, std::size_t rank) {
  return place + "." + std::to_string(rank);
}

std::string last_line(const std::string& path) {
  std::string text = read_file(path).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

struct Told {
  std::int64_t rank = 0;
  std::int64_t count = 0;
  std::string place;
};

Result<Told> parse(const std::string& text) {
  const std::size_t first = text.find('/');
  const std::size_t second = text.find('/', first + 1);
  if (second == std::string::npos) return invalid_argument("QIAO_LEARN_RANK is for Qiao's own use");
  return Told{std::strtoll(text.c_str(), nullptr, 10),
              std::strtoll(text.c_str() + first + 1, nullptr, 10), text.substr(second + 1)};
}

}  // namespace

#ifdef QIAO_HAS_GLOO
struct Ranks::Group {
  c10::intrusive_ptr<c10d::FileStore> store;
  std::unique_ptr<c10d::ProcessGroupGloo> gloo;

  static std::unique_ptr<Group> meet(const std::string& place, std::int64_t rank,
                                     std::int64_t count) {
    auto group = std::make_unique<Group>();
    group->store = c10::make_intrusive<c10d::FileStore>(place, static_cast<int>(count));
    group->store->setTimeout(kStartMax);
    // Gloo would wait for a rank that never comes as long as for one that falls silent.
    std::vector<std::string> there;
    for (std::int64_t i = 0; i < count; ++i) there.push_back("rank-" + std::to_string(i));
    group->store->set(there[static_cast<std::size_t>(rank)], {1});
    group->store->wait(there, kStartMax);
    auto options = c10d::ProcessGroupGloo::Options::create(kRankSilenceMax);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(kHere));
    group->gloo = std::make_unique<c10d::ProcessGroupGloo>(group->store, static_cast<int>(rank),
                                                           static_cast<int>(count), options);
    return group;
  }

  void sum(std::vector<torch::Tensor>& one) const { gloo->allreduce(one)->wait(); }
  void tell(std::vector<torch::Tensor>& one) const { gloo->broadcast(one)->wait(); }
};
#else
struct Ranks::Group {
  static std::unique_ptr<Group> meet(const std::string&, std::int64_t, std::int64_t) {
    throw std::runtime_error("built without Gloo's headers (libgloo-dev)");
  }
  static void sum(std::vector<torch::Tensor>&) {}
  static void tell(std::vector<torch::Tensor>&) {}
};
#endif

Ranks::Ranks() = default;

Result<std::unique_ptr<Ranks>> Ranks::start(std::int64_t count, char** arguments) {
  if (count < 1 || count > kRanksMax) return invalid_argument("--ranks must be 1 to 64");
  auto ranks = std::make_unique<Ranks>();
  const char* self = ::getenv(kRankVariable);
  if (self == nullptr && count == 1) return ranks;
  ranks->count_ = count;
  ::signal(SIGPIPE, SIG_IGN);  // Gloo writes to the sockets of ranks that may be gone
  if (self != nullptr) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    QIAO_ASSIGN(Told told, parse(self));
    if (told.count != count) return invalid_argument("QIAO_LEARN_RANK is for Qiao's own use");
    ranks->rank_ = told.rank;
    ranks->place_ = std::move(told.place);
  } else {
    std::error_code ignored;
    ranks->place_ =
        (std::filesystem::temp_directory_path(ignored) / ("qiao-ranks-" + random_hex(8))).string();
    for (std::int64_t rank = 1; rank < count; ++rank) {
      const std::string copy =
          std::to_string(rank) + "/" + std::to_string(count) + "/" + ranks->place_;
      QIAO_ASSIGN(
          const int child,
          start_copy(arguments, copy, told_file(ranks->place_, static_cast<std::size_t>(rank))));
      ranks->children_.push_back(child);
    }
  }
  try {
    ranks->group_ = Group::meet(ranks->place_, ranks->rank_, count);
  } catch (const std::exception& fault) {
    return ranks->gone(fault.what());
  }
  return ranks;
}

Ranks::~Ranks() {
  group_.reset();
  for (const int child : children_) {
    ::kill(child, SIGKILL);  // it holds nothing of its own, and one that hangs hears nothing else
    ::waitpid(child, nullptr, 0);
  }
  if (rank_ != 0 || place_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(place_, ignored);
  for (std::size_t rank = 1; rank <= children_.size(); ++rank) {
    std::filesystem::remove(told_file(place_, rank), ignored);
  }
}

Error Ranks::gone(const std::string& why) const {
  for (int tries = children_.empty() ? 0 : kGoneTries; tries > 0; --tries) {
    std::string who;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      siginfo_t ended{};
      // WNOWAIT: the destructor collects it.
      const int fault =
          ::waitid(P_PID, static_cast<id_t>(children_[i]), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (fault != 0 || ended.si_pid == 0) continue;
      const std::string rank = "rank " + std::to_string(i + 1) + " ended";
      if (ended.si_code != CLD_EXITED) {  // the others end because of it
        return unavailable(rank + " by signal " + std::to_string(ended.si_status));
      }
      const std::string told = last_line(told_file(place_, i + 1));
      if (who.empty()) who = rank + (told.empty() ? "" : ": " + told);
    }
    if (!who.empty()) return unavailable(who);
    std::this_thread::sleep_for(kGoneTryEvery);
  }
  return unavailable("a rank ended or fell silent: " + why.substr(0, why.find('\n')));
}

Status Ranks::add_up(std::vector<torch::Tensor>& tensors) {
  if (count_ == 1) return {};
  try {
    std::vector<torch::Tensor> flat = {torch::cat([&] {
      std::vector<torch::Tensor> parts;
      for (const torch::Tensor& tensor : tensors) parts.push_back(tensor.flatten());
      return parts;
    }())};
    group_->sum(flat);
    std::int64_t at = 0;
    for (torch::Tensor& tensor : tensors) {
      tensor = flat[0].narrow(0, at, tensor.numel()).view(tensor.sizes());
      at += tensor.numel();
    }
  } catch (const std::exception& fault) {
    return gone(fault.what());
  }
  return {};
}

Result<double> Ranks::told(double value) {
  if (count_ == 1) return value;
  try {
    std::vector<torch::Tensor> one = {torch::full({1}, value, torch::kDouble)};
    group_->tell(one);
    return one[0].item<double>();
  } catch (const std::exception& fault) {
    return gone(fault.what());
  }
}

}  // namespace qiao::learn
