// SPDX-License-Identifier: Apache-2.0
#include "log/segment_scan.h"

namespace qiao::segment {
namespace {

constexpr std::size_t kScanStep = 1 << 20;

}  // namespace

Status scan_frames(DiskFile& file, Segment& segment, const FrameVisitor& visit) {
  FileWindow window(file, kScanStep);
  for (;;) {
    QIAO_ASSIGN(const std::string_view head, window.at(segment.end, kFrameHeaderBytes));
    const auto frame = decode_frame_header(head, segment.header.sum);
    if (!frame || frame->chain != segment.chain || frame->first != segment.next) return {};
    QIAO_ASSIGN(const std::string_view body,
                window.at(segment.end + kFrameHeaderBytes, frame->body_bytes));
    if (!body_fits(*frame, body)) return {};
    if (visit) QIAO_TRY(visit({segment.end, *frame}, body));
    segment.index.add(frame->first, segment.end);
    segment.end += frame->bytes();
    segment.next += frame->count;
    segment.chain = frame->sum;
    segment.sealed = frame->count == 0;
  }
}

Result<std::optional<FrameAt>> find_frame(DiskFile& file, std::uint32_t seed,
                                          std::uint64_t position, Wanted wanted) {
  FileWindow window(file, kScanStep);
  for (;;) {
    QIAO_ASSIGN(const std::string_view bytes, window.at(position, kScanStep));
    if (bytes.size() < kFrameHeaderBytes) return std::optional<FrameAt>();
    for (std::size_t i = 0; i + kFrameHeaderBytes <= bytes.size(); ++i) {
      if (!may_be_frame(bytes.substr(i))) continue;
      const auto frame = decode_frame_header(bytes.substr(i), seed);
      if (frame && (wanted == Wanted::kAnyFrame || frame->after_sync))
        return std::optional<FrameAt>(FrameAt{position + i, *frame});
    }
    position += bytes.size() - (kFrameHeaderBytes - 1);
  }
}

}  // namespace qiao::segment
