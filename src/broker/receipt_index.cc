// SPDX-License-Identifier: Apache-2.0
#include "broker/receipt_index.h"

#include <utility>

namespace qiao::broker {
namespace {

void put(ReceiptIndex::Entries& entries, ReceiptIndex::Entry entry) {
  std::erase_if(entries, [&](const auto& before) { return before.step == entry.step; });
  entries.push_back(std::move(entry));
}

}  // namespace

void ReceiptIndex::add(std::uint64_t message, Entry entry) {
  Entries& entries = entries_[message];
  count_ -= entries.size();
  put(entries, std::move(entry));
  count_ += entries.size();
}

void ReceiptIndex::forget(std::uint64_t message) {
  const auto found = entries_.find(message);
  if (found == entries_.end()) return;
  count_ -= found->second.size();
  entries_.erase(found);
}

const ReceiptIndex::Entries& ReceiptIndex::of(std::uint64_t message) const {
  static const Entries kNone;
  if (entries_.empty()) return kNone;
  const auto found = entries_.find(message);
  return found == entries_.end() ? kNone : found->second;
}

std::uint64_t ReceiptIndex::newest(std::uint64_t message) const {
  const Entries& entries = of(message);
  return entries.empty() ? 0 : entries.back().at;
}

Status ReceiptIndex::room_for(std::uint64_t message, const Entries& entries) const {
  if (count_ + entries.size() > kInGroupMax) {
    return overloaded(std::to_string(count_) +
                      " receipts are kept for messages that are not acked; ack some first");
  }
  Entries after = of(message);
  for (const Entry& entry : entries) put(after, entry);
  std::size_t bytes = 0;
  for (const Entry& entry : after) bytes += entry.bytes;
  if (after.size() <= kPerMessageMax && bytes <= kBytesPerMessageMax) return {};
  return Error{Code::kPrecondition, "message " + std::to_string(message) + " would have " +
                                        std::to_string(after.size()) + " receipts of " +
                                        std::to_string(bytes) + " bytes; at most " +
                                        std::to_string(kPerMessageMax) + " of together " +
                                        std::to_string(kBytesPerMessageMax) + " are kept"};
}

void ReceiptIndex::write(std::uint64_t message, std::string& out) const {
  const Entries& entries = of(message);
  put_varint(out, entries.size());
  for (const Entry& entry : entries) {
    put_varint(out, entry.at);
    put_varint(out, entry.bytes);
    put_bytes(out, entry.step);
  }
}

void ReceiptIndex::read(std::uint64_t message, WireReader& in) {
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    Entry entry;
    entry.at = in.varint();
    entry.bytes = in.varint();
    entry.step = in.bytes();
    if (in.ok()) add(message, std::move(entry));
  }
}

}  // namespace qiao::broker
