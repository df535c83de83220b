// SPDX-License-Identifier: Apache-2.0
#include "log/segment_writer.h"

namespace qiao::segment {
namespace {

// Small enough that reading one record reads few heads, large enough that frames cost nothing.
constexpr std::size_t kFrameBytesAim = 64 << 10;
constexpr std::size_t kBufferBytesKept = 4 << 20;

}  // namespace

void Written::apply(Segment& segment) const {
  segment.next = next;
  segment.end = end;
  segment.chain = chain;
  segment.sealed = sealed;
  for (const auto& [offset, position] : frames) segment.index.add(offset, position);
}

SegmentWriter::SegmentWriter(Disk& disk, std::string directory, std::uint64_t segment_bytes,
                             bool sync, const Segment& last, std::unique_ptr<DiskFile> file)
    : disk_(disk),
      directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      sync_(sync),
      file_(std::move(file)),
      seed_(last.header.sum),
      chain_(last.chain),
      next_(last.next),
      end_(last.end),
      sealed_(last.sealed) {}

bool SegmentWriter::is_full_for(std::size_t bytes) const {
  return end_ > kFileHeaderBytes && end_ + bytes > segment_bytes_;
}

Result<std::shared_ptr<Segment>> SegmentWriter::roll() {
  if (!sync_) QIAO_TRY(file_->sync_data());  // a file that another one follows is whole
  QIAO_ASSIGN(NewSegment made, create_segment(disk_, directory_, next_, chain_, segment_bytes_));
  file_ = std::move(made.file);
  seed_ = made.segment->header.sum;
  end_ = made.segment->end;
  sealed_ = false;
  return std::move(made.segment);
}

Result<Written> SegmentWriter::write(const std::vector<Batch>& group) {
  buffer_.clear();
  Written written;
  FrameWriter frames(buffer_, seed_, chain_);
  std::uint64_t first = group.front().first;
  const auto finish = [&] {
    written.frames.emplace_back(first, end_ + buffer_.size());
    const FrameHeader frame = frames.finish(first, sync_ && buffer_.empty());
    first += frame.count;
  };
  for (const Batch& batch : group) {
    frames.add(batch.records);
    if (frames.open_bytes() >= kFrameBytesAim) finish();
  }
  if (frames.open_bytes() > 0) finish();
  written.next = first;
  written.chain = frames.chain();
  return flush(std::move(written), sync_);
}

Result<Written> SegmentWriter::seal() {
  if (!sync_) QIAO_TRY(file_->sync_data());
  Written written;
  written.next = next_;
  written.end = end_;
  written.chain = chain_;
  written.sealed = true;
  if (sealed_) return written;
  buffer_.clear();
  FrameWriter frames(buffer_, seed_, chain_);
  written.frames.emplace_back(next_, end_);
  written.chain = frames.finish(next_, true).sum;
  return flush(std::move(written), true);
}

Result<Written> SegmentWriter::flush(Written written, bool sync) {
  QIAO_TRY(file_->write_at(end_, buffer_));
  if (sync) QIAO_TRY(file_->sync_data());
  end_ += buffer_.size();
  next_ = written.next;
  chain_ = written.chain;
  sealed_ = written.sealed;
  written.end = end_;
  if (buffer_.capacity() > kBufferBytesKept) buffer_ = {};
  return written;
}

}  // namespace qiao::segment
