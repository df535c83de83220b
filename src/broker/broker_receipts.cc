// SPDX-License-Identifier: Apache-2.0
// Receipts of the steps of work on a leased message: stored with what the step changes, handed to
// whoever gets the message next.
#include <algorithm>
#include <map>
#include <utility>

#include "broker/broker_impl.h"

namespace qiao {
namespace {

using broker::ReceiptIndex;

Status check_receipt(const StepReceipt& receipt) {
  if (receipt.step.empty() || receipt.step.size() > kIdBytesMax || !valid_utf8(receipt.step))
    return invalid_argument("the step of a receipt has a name, UTF-8 of at most 128 bytes");
  if (receipt.data.size() > ReceiptIndex::kReceiptBytesMax) {
    return invalid_argument("the receipt of step '" + receipt.step + "' has " +
                            std::to_string(receipt.data.size()) + " bytes; at most " +
                            std::to_string(ReceiptIndex::kReceiptBytesMax) + " are kept");
  }
  return {};
}

}  // namespace

Status Broker::Impl::add_receipts(Commit& commit, Changes& changes) {
  const std::int64_t now = time_.now_ms();
  std::map<LeaseName, ReceiptIndex::Entries> added;
  // Of a leased message, or of a parked one that the same commit wakes: what it was woken for.
  const auto woken = [&commit](const LeaseRef& lease) {
    return std::any_of(commit.wake.begin(), commit.wake.end(), [&lease](const Wake& wake) {
      return wake.group == lease.group && wake.offset == lease.offset;
    });
  };
  for (LeaseReceipt& given : commit.receipts) {
    if (!woken(given.lease) || state_.group(given.lease.group) == nullptr)
      QIAO_TRY(check_lease(given.lease));
    QIAO_TRY(check_receipt(given.receipt));
    added[{given.lease.group, given.lease.offset}].push_back(
        {0, given.receipt.data.size(), given.receipt.step});
    changes.rest.emplace_back(record::Receipt{now, std::move(given.lease.group), given.lease.offset,
                                              std::move(given.receipt.step),
                                              std::move(given.receipt.data)});
  }
  for (const auto& [name, entries] : added)
    QIAO_TRY(state_.group(name.first)->receipts().room_for(name.second, entries));
  return {};
}

Result<std::vector<StepReceipt>> Broker::Impl::receipts_of(const GroupState& group,
                                                           std::uint64_t offset) {
  std::vector<StepReceipt> out;
  for (const ReceiptIndex::Entry& entry : group.receipts().of(offset)) {
    QIAO_ASSIGN(const std::vector<LogEntry> entries, log_.read(entry.at, 1, 1));
    if (entries.empty())
      return not_found("record " + std::to_string(entry.at) + " is not in the log");
    QIAO_ASSIGN(Record record, decode_record(entries.front().record));
    auto* receipt = std::get_if<record::Receipt>(&record);
    if (receipt == nullptr)
      return Error{Code::kCorrupt, "record " + std::to_string(entry.at) + " is no receipt"};
    out.push_back({std::move(receipt->step), std::move(receipt->data)});
  }
  return out;
}

}  // namespace qiao
