// SPDX-License-Identifier: Apache-2.0
#include "broker/dedupe_window.h"

#include <algorithm>

#include "broker/hash.h"

namespace qiao::broker {
namespace {

constexpr std::size_t kSlotsMin = 1024;
constexpr std::size_t kIdsMost = std::size_t{1} << 30;  // slots are 32-bit

}  // namespace

DedupeWindow::DedupeWindow(std::size_t ids_max, std::uint64_t seed)
    : ids_max_(std::clamp<std::size_t>(ids_max, 1, kIdsMost)), seed_(seed), slots_(kSlotsMin, 0) {}

std::size_t DedupeWindow::home(std::uint64_t hash) const {
  return mix(hash ^ seed_) & (slots_.size() - 1);
}

std::size_t DedupeWindow::slot_of(std::uint64_t hash) const {
  std::size_t slot = home(hash);
  while (slots_[slot] != 0 && entries_[slots_[slot] - 1].hash != hash)
    slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

std::optional<std::uint64_t> DedupeWindow::find(std::uint64_t hash) const {
  const std::uint32_t index = slots_[slot_of(hash)];
  if (index == 0) return std::nullopt;
  return entries_[index - 1].offset;
}

void DedupeWindow::insert(std::uint64_t hash, std::uint64_t offset) {
  if (const std::uint32_t known = slots_[slot_of(hash)]; known != 0) {
    entries_[known - 1].offset = offset;
    return;
  }
  std::size_t index = entries_.size();
  if (index < ids_max_) {
    if ((index + 1) * 2 > slots_.size()) grow();
    entries_.push_back({hash, offset});
  } else {
    index = oldest_;
    oldest_ = (oldest_ + 1) % ids_max_;
    erase(entries_[index].hash);
    entries_[index] = {hash, offset};
  }
  std::size_t slot = home(hash);
  while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = static_cast<std::uint32_t>(index + 1);
}

// Moves later entries of the run back into the gap, so that no search ends too early.
void DedupeWindow::erase(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t gap = slot_of(hash);
  for (std::size_t at = (gap + 1) & mask; slots_[at] != 0; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home(entries_[slots_[at] - 1].hash)) & mask;
    if (from_home < ((at - gap) & mask)) continue;
    slots_[gap] = slots_[at];
    gap = at;
  }
  slots_[gap] = 0;
}

void DedupeWindow::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = home(entries_[i].hash);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

void DedupeWindow::write(std::string& out) const {
  put_varint(out, entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[(oldest_ + i) % entries_.size()];
    put_varint(out, entry.hash);
    put_varint(out, entry.offset);
  }
}

Status DedupeWindow::read(WireReader& in) {
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t hash = in.varint();
    insert(hash, in.varint());
  }
  if (!in.ok()) return Error{Code::kCorrupt, "the window of message ids is cut off"};
  return {};
}

}  // namespace qiao::broker
