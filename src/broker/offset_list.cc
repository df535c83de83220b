// SPDX-License-Identifier: Apache-2.0
#include "broker/offset_list.h"

#include <algorithm>

#include "broker/hash.h"

namespace qiao::broker {

LaneKey lane_of(std::string_view conversation) {
  if (conversation.empty()) return 0;
  const LaneKey lane = stable_hash(conversation);
  return lane == 0 ? 1 : lane;
}

void OffsetList::append(Place place) {
  if (blocks_.empty() || blocks_.back().places == kBlockPlaces) {
    if (!blocks_.empty()) blocks_.back().bytes.shrink_to_fit();
    blocks_.push_back({place.offset, {}, 0});
    last_ = place.offset;
  }
  Block& block = blocks_.back();
  put_varint(block.bytes, (place.offset - last_) << 1 | (place.lane != 0 ? 1 : 0));
  if (place.lane != 0) put_varint(block.bytes, place.lane);
  ++block.places;
  ++count_;
  last_ = place.offset;
}

std::size_t OffsetList::remove(const std::vector<std::uint64_t>& offsets) {
  const bool there = std::any_of(offsets.begin(), offsets.end(),
                                 [this](std::uint64_t offset) { return contains(offset); });
  if (!there) return 0;
  OffsetList rest;
  for (Cursor at(*this, 0); !at.at_end(); at.next()) {
    if (!std::binary_search(offsets.begin(), offsets.end(), at.place().offset))
      rest.append(at.place());
  }
  const std::size_t removed = count_ - rest.count_;
  *this = std::move(rest);
  return removed;
}

bool OffsetList::contains(std::uint64_t offset) const {
  const Cursor at(*this, offset);
  return !at.at_end() && at.place().offset == offset;
}

void OffsetList::write(std::string& out) const {
  put_varint(out, count_);
  put_varint(out, last_);
  put_varint(out, blocks_.size());
  for (const Block& block : blocks_) {
    put_varint(out, block.first);
    put_varint(out, block.places);
    put_bytes(out, block.bytes);
  }
}

Result<OffsetList> OffsetList::read(WireReader& in) {
  OffsetList list;
  list.count_ = in.varint();
  list.last_ = in.varint();
  const std::uint64_t blocks = in.varint();
  for (std::uint64_t i = 0; i < blocks && in.ok(); ++i) {
    Block block;
    block.first = in.varint();
    block.places = in.varint();
    block.bytes = in.bytes();
    list.blocks_.push_back(std::move(block));
  }
  if (!in.ok()) return Error{Code::kCorrupt, "a list of offsets is cut off"};
  return list;
}

OffsetList::Cursor::Cursor(const OffsetList& list, std::uint64_t from) : list_(&list) {
  const auto after = std::upper_bound(
      list.blocks_.begin(), list.blocks_.end(), from,
      [](std::uint64_t offset, const Block& block) { return offset < block.first; });
  if (after != list.blocks_.begin())
    block_ = static_cast<std::size_t>(after - list.blocks_.begin()) - 1;
  enter_block();
  while (!at_end_ && place_.offset < from) next();
}

void OffsetList::Cursor::enter_block() {
  at_end_ = block_ >= list_->blocks_.size();
  if (at_end_) return;
  in_ = WireReader(list_->blocks_[block_].bytes);
  place_.offset = list_->blocks_[block_].first;
  next();
}

void OffsetList::Cursor::next() {
  if (in_.at_end()) {
    ++block_;
    return enter_block();
  }
  const std::uint64_t step = in_.varint();
  place_.offset += step >> 1;
  place_.lane = (step & 1) != 0 ? in_.varint() : 0;
}

}  // namespace qiao::broker
