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

void OffsetList::append(const Listed& listed) {
  const Place& place = listed.place;
  last_ms_ = std::max(last_ms_, listed.time_ms);
  if (blocks_.empty() || blocks_.back().places == kBlockPlaces) {
    if (!blocks_.empty()) blocks_.back().bytes.shrink_to_fit();
    blocks_.push_back({place.offset, last_ms_, {}, 0});
    last_ = place.offset;
    block_ms_ = last_ms_;
  }
  Block& block = blocks_.back();
  const std::uint64_t marks = (listed.key != 0 ? 2 : 0) | (place.lane != 0 ? 1 : 0);
  put_varint(block.bytes, (place.offset - last_) << 2 | marks);
  if (place.lane != 0) put_varint(block.bytes, place.lane);
  if (listed.key != 0) put_varint(block.bytes, listed.key);
  put_varint(block.bytes, static_cast<std::uint64_t>(last_ms_ - block_ms_));
  put_varint(block.bytes, listed.bytes);
  ++block.places;
  ++count_;
  bytes_ += listed.bytes;
  last_ = place.offset;
  block_ms_ = last_ms_;
}

std::size_t OffsetList::remove(const std::vector<std::uint64_t>& offsets) {
  const std::uint64_t before = count_;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const std::uint64_t end = i + 1 < blocks_.size() ? blocks_[i + 1].first : UINT64_MAX;
    const auto next = std::lower_bound(offsets.begin(), offsets.end(), blocks_[i].first);
    if (next == offsets.end()) break;
    if (*next < end) rewrite(blocks_[i], offsets, end);
  }
  if (count_ == before) return 0;
  std::erase_if(blocks_, [](const Block& block) { return block.places == 0; });
  find_last();
  return before - count_;
}

// `end`: where the block after it begins.
void OffsetList::rewrite(Block& block, const std::vector<std::uint64_t>& without,
                         std::uint64_t end) {
  OffsetList rest;
  for (Cursor at(*this, block.first); !at.at_end() && at.place().offset < end; at.next()) {
    if (!std::binary_search(without.begin(), without.end(), at.place().offset)) {
      rest.append(at.listed());
      continue;
    }
    --count_;
    bytes_ -= at.listed().bytes;
  }
  if (rest.count_ == 0) {
    block.places = 0;  // its beginning stays until all blocks are looked at
  } else {
    block = std::move(rest.blocks_.front());
  }
}

void OffsetList::find_last() {
  if (blocks_.empty()) {
    last_ = 0;
    return;
  }
  for (Cursor at(*this, blocks_.back().first); !at.at_end(); at.next()) {
    last_ = at.place().offset;
    block_ms_ = at.listed().time_ms;
  }
}

void OffsetList::assume_time(std::int64_t time_ms) {
  for (Block& block : blocks_) block.first_ms += time_ms;
  last_ms_ += time_ms;
  block_ms_ += time_ms;
}

bool OffsetList::contains(std::uint64_t offset) const {
  const Cursor at(*this, offset);
  return !at.at_end() && at.place().offset == offset;
}

void OffsetList::write(std::string& out) const {
  put_varint(out, count_);
  put_varint(out, bytes_);
  put_varint(out, last_);
  put_signed(out, last_ms_);
  put_signed(out, block_ms_);
  put_varint(out, blocks_.size());
  for (const Block& block : blocks_) {
    put_varint(out, block.first);
    put_signed(out, block.first_ms);
    put_varint(out, block.places);
    put_bytes(out, block.bytes);
  }
}

Result<OffsetList> OffsetList::read(WireReader& in, std::uint64_t form) {
  if (form < kForm) return read_first_form(in);
  OffsetList list;
  list.count_ = in.varint();
  list.bytes_ = in.varint();
  list.last_ = in.varint();
  list.last_ms_ = in.signed_varint();
  list.block_ms_ = in.signed_varint();
  const std::uint64_t blocks = in.varint();
  for (std::uint64_t i = 0; i < blocks && in.ok(); ++i) {
    Block block;
    block.first = in.varint();
    block.first_ms = in.signed_varint();
    block.places = in.varint();
    block.bytes = in.bytes();
    list.blocks_.push_back(std::move(block));
  }
  if (!in.ok()) return Error{Code::kCorrupt, "a list of offsets is cut off"};
  return list;
}

Result<OffsetList> OffsetList::read_first_form(WireReader& in) {
  OffsetList list;
  const Error damaged{Code::kCorrupt, "a list of offsets is cut off"};
  const std::uint64_t count = in.varint();
  in.varint();  // the last offset
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    Listed listed;
    listed.place.offset = in.varint();
    in.varint();  // how many
    for (WireReader block(in.bytes()); !block.at_end();) {
      const std::uint64_t step = block.varint();
      listed.place.offset += step >> 1;
      listed.place.lane = (step & 1) != 0 ? block.varint() : 0;
      if (!block.ok()) return damaged;
      list.append(listed);
    }
  }
  if (!in.ok() || list.count_ != count) return damaged;
  return list;
}

OffsetList::Cursor::Cursor(const OffsetList& list, std::uint64_t from) : list_(&list) {
  const auto after = std::upper_bound(
      list.blocks_.begin(), list.blocks_.end(), from,
      [](std::uint64_t offset, const Block& block) { return offset < block.first; });
  if (after != list.blocks_.begin())
    block_ = static_cast<std::size_t>(after - list.blocks_.begin()) - 1;
  enter_block();
  while (!at_end_ && listed_.place.offset < from) next();
}

void OffsetList::Cursor::enter_block() {
  at_end_ = block_ >= list_->blocks_.size();
  if (at_end_) return;
  in_ = WireReader(list_->blocks_[block_].bytes);
  listed_.place.offset = list_->blocks_[block_].first;
  listed_.time_ms = list_->blocks_[block_].first_ms;
  next();
}

void OffsetList::Cursor::next() {
  if (in_.at_end()) {
    ++block_;
    return enter_block();
  }
  const std::uint64_t step = in_.varint();
  listed_.place.offset += step >> 2;
  listed_.place.lane = (step & 1) != 0 ? in_.varint() : 0;
  listed_.key = (step & 2) != 0 ? in_.varint() : 0;
  listed_.time_ms += static_cast<std::int64_t>(in_.varint());
  listed_.bytes = in_.varint();
}

}  // namespace qiao::broker
