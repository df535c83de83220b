// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_sandbox.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace qiao::model {
namespace {

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// Each arena of malloc reserves 64 MiB of address space, which the limit counts.
constexpr int kArenasMax = 2;

// Harmless whatever their arguments are.
constexpr int kAllowed[] = {
    // what is open already
    SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(fadvise64),
    SCMP_SYS(readahead),
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore),
    // threads
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity), SCMP_SYS(gettid), SCMP_SYS(getpid),
    SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(membarrier),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    // time, chance, the machine
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrandom), SCMP_SYS(sysinfo),
    SCMP_SYS(uname)};

class Rules {
 public:
  explicit Rules(void* filter) : filter_(filter) {}
  template <class... Conditions>
  void allow(int call, Conditions... conditions) {
    constexpr auto count = static_cast<unsigned>(sizeof...(conditions));
    const int added = seccomp_rule_add(filter_, SCMP_ACT_ALLOW, call, count, conditions...);
    if (added != 0) failed_ = added;
  }
  void refuse(int call, int error) {
    const int added =
        seccomp_rule_add(filter_, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call, 0);
    if (added != 0) failed_ = added;
  }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  void* filter_;
  int failed_ = 0;
};

// Allowed with these arguments alone.
void allow_in_part(Rules& rules) {
  const auto self = static_cast<scmp_datum_t>(::getpid());
  // No memory is both data and program.
  rules.allow(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  rules.allow(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  // Threads, no processes. clone3 hides its flags from a filter; the C library then uses clone.
  rules.allow(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  rules.refuse(SCMP_SYS(clone3), ENOSYS);
  rules.allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, self));  // abort()
  rules.allow(SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
  rules.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL));  // fdopen()
  rules.allow(SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));    // reading limits
}

Status limit(__rlimit_resource resource, std::size_t value) {
  const rlimit both{value, value};
  if (::setrlimit(resource, &both) == 0) return {};
  return internal(std::string("a worker cannot limit itself: ") + std::strerror(errno));
}

}  // namespace

void close_all_but(int keep) {
  const auto first = static_cast<unsigned>(keep);
  if (keep > 3) ::syscall(SYS_close_range, 3U, first - 1, 0U);
  ::syscall(SYS_close_range, first + 1, ~0U, 0U);
}

Status restrict_process(std::size_t memory_bytes_max) {
  ::mallopt(M_ARENA_MAX, kArenasMax);
  QIAO_TRY(limit(RLIMIT_AS, memory_bytes_max));
  QIAO_TRY(limit(RLIMIT_CORE, 0));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return internal("a worker cannot give up new privileges");
  }
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (filter == nullptr) return internal("a worker has no memory for its system call filter");
  Rules rules(filter.get());
  for (const int call : kAllowed) rules.allow(call);
  allow_in_part(rules);
  const int loaded = rules.failed() != 0 ? rules.failed() : seccomp_load(filter.get());
  if (loaded != 0) {
    return internal(std::string("a worker cannot filter its system calls: ") +
                    std::strerror(-loaded));
  }
  return {};
}

}  // namespace qiao::model
