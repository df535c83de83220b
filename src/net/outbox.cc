// SPDX-License-Identifier: Apache-2.0
#include "net/outbox.h"

#include <utility>

namespace qiao::net {

Outbox::Pushed Outbox::push(std::string bytes, Rest rest, std::size_t waiting_max) {
  std::lock_guard lock(mutex_);
  if (closed_ || (left_ && rest == Rest::kMore)) return Pushed::kGone;
  const std::size_t waiting = bytes_.size() + taken_;
  if (rest == Rest::kMore && waiting > 0 && waiting + bytes.size() > waiting_max)
    return Pushed::kFull;
  if (bytes_.empty()) {
    bytes_ = std::move(bytes);
  } else {
    bytes_.append(bytes);
  }
  rest_ = rest;
  streaming_ = streaming_ || rest == Rest::kMore;
  return std::exchange(told_, true) ? Pushed::kJoined : Pushed::kFirst;
}

bool Outbox::keep(std::function<void()>& task) {
  std::lock_guard lock(mutex_);
  if (closed_ || left_) return false;
  tasks_.push_back(std::move(task));
  return true;
}

Outbox::Taken Outbox::take() {
  std::lock_guard lock(mutex_);
  told_ = false;
  taken_ += bytes_.size();
  return {std::exchange(bytes_, {}), rest_, streaming_};
}

void Outbox::wrote(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  taken_ -= bytes;
}

Outbox::Tasks Outbox::peer_left() {
  std::lock_guard lock(mutex_);
  left_ = true;
  return std::exchange(tasks_, {});
}

Outbox::Tasks Outbox::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  bytes_ = {};
  return std::exchange(tasks_, {});
}

Outbox::Tasks Outbox::next_answer() {
  std::lock_guard lock(mutex_);
  rest_ = Rest::kMore;
  streaming_ = false;
  return std::exchange(tasks_, {});
}

}  // namespace qiao::net
