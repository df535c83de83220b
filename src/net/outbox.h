// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace qiao::net {

// What comes after some bytes of an answer.
enum class Rest {
  kMore,  // a stream goes on
  kLast,  // the answer is complete
  kCut,   // the connection ends after them
};

// The part of a connection that the handler's threads and the net thread share: bytes on their
// way out, and who wants to know when the peer goes. Holds one answer at a time.
//
// Owned by a Connection. Thread-safe; nothing is called back under the lock. Bounded by the limit
// given to push().
class Outbox {
 public:
  enum class Pushed {
    kFirst,   // taken; the net thread must be told
    kJoined,  // taken; the net thread knows already
    kFull,    // a stream's reader is too slow: nothing was taken
    kGone,    // the peer is gone: nothing was taken
  };
  struct Taken {
    std::string bytes;
    Rest rest = Rest::kMore;
    bool streaming = false;  // some of the answer came with kMore
  };
  using Tasks = std::vector<std::function<void()>>;

  // Handler's side. A stream's bytes are refused when they would make more than `waiting_max`
  // wait, unless none wait.
  Pushed push(std::string bytes, Rest rest, std::size_t waiting_max);
  // Keeps `task` for peer_left() and close(). False: the peer is gone already, `task` is the
  // caller's to run.
  bool keep(std::function<void()>& task);

  // Net thread's side.
  Taken take();
  void wrote(std::size_t bytes);
  // The peer sends no more. A stream ends here; a plain answer may still be tried.
  [[nodiscard]] Tasks peer_left();
  // Nothing goes out any more.
  [[nodiscard]] Tasks close();
  // Makes ready for the next answer. The tasks will not be run.
  [[nodiscard]] Tasks next_answer();

 private:
  std::mutex mutex_;
  std::string bytes_;
  std::size_t taken_ = 0;  // by the net thread and not yet written
  Rest rest_ = Rest::kMore;
  bool streaming_ = false;
  bool told_ = false;
  bool left_ = false;
  bool closed_ = false;
  Tasks tasks_;
};

}  // namespace qiao::net
