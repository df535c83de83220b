// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace qiao::model {
namespace {

// How a process that restricts itself and then does `what` ends: its status, or -signal.
int ending_of(const std::function<int()>& what) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!restrict_process(std::size_t{4} << 30)) ::_exit(99);
    ::_exit(what());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int refused(bool done) {
  return done ? 1 : 0;
}

TEST(WorkerSandbox, RefusesFilesNetworkAndOtherProcesses) {
  EXPECT_EQ(ending_of([] { return refused(::open("/etc/passwd", O_RDONLY) >= 0); }), 0);
  EXPECT_EQ(ending_of([] { return refused(::open("/tmp/x", O_CREAT | O_WRONLY, 0600) >= 0); }), 0);
  EXPECT_EQ(ending_of([] { return refused(::unlink("/tmp/qiao-absent") == 0 || errno != EPERM); }),
            0);
  EXPECT_EQ(ending_of([] { return refused(::socket(AF_INET, SOCK_STREAM, 0) >= 0); }), 0);
  EXPECT_EQ(ending_of([] { return refused(::fork() >= 0); }), 0);
  EXPECT_EQ(ending_of([] { return refused(::execl("/bin/true", "true", nullptr) == 0); }), 0);
  EXPECT_EQ(ending_of([] { return refused(::kill(::getppid(), 0) == 0); }), 0);
}

TEST(WorkerSandbox, RefusesNewPrograms) {
  EXPECT_EQ(ending_of([] {
              void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return refused(memory != MAP_FAILED);
            }),
            0);
  EXPECT_EQ(ending_of([] {
              void* memory =
                  ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return refused(::mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0);
            }),
            0);
}

TEST(WorkerSandbox, LeavesWhatAModelNeeds) {
  EXPECT_EQ(ending_of([] {
              int sum = 0;
              std::thread([&] { sum += 1; }).join();
              std::vector<char> memory(64 << 20, 'x');
              return sum == 1 && memory.back() == 'x' ? 7 : 1;
            }),
            7);
  EXPECT_EQ(ending_of([]() -> int { std::abort(); }), -SIGABRT);
}

TEST(WorkerSandbox, BoundsMemory) {
  EXPECT_EQ(ending_of([] {
              void* memory = ::mmap(nullptr, std::size_t{5} << 30, PROT_READ,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
              return refused(memory != MAP_FAILED);
            }),
            0);
}

TEST(WorkerSandbox, ClosesOtherDescriptors) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int kept = ::fcntl(::open("/dev/null", O_RDONLY), F_DUPFD, 10);
    const int before = ::open("/dev/null", O_RDONLY);
    const int after = ::fcntl(before, F_DUPFD, kept + 5);
    close_all_but(kept);
    const bool right = ::fcntl(kept, F_GETFD) >= 0 && ::fcntl(before, F_GETFD) < 0 &&
                       ::fcntl(after, F_GETFD) < 0 && ::fcntl(2, F_GETFD) >= 0;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace qiao::model
