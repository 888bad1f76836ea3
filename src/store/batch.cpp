#include <fmt/format.h>

#include <algorithm>
#include <core/assert.hpp>
#include <store/batch.hpp>

namespace holdfast::store {
namespace {

void assert_well_formed(const core::AddSend& send) {
  HF_ASSERT(!send.entries.empty());
  const std::string& account = send.entries.front().account;
  HF_ASSERT(std::ranges::all_of(send.entries, [&](const core::Entry& entry) {
    return entry.account == account && entry.state == core::EntryState::queued;
  }));
  HF_ASSERT(!send.key || send.key->key.size() <= idempotency_key_bytes_max);
}

void assert_well_formed(const core::UpdateEntry& update) {
  HF_ASSERT(update.entry.seq != 0);
  HF_ASSERT(update.from == update.entry.state || core::is_legal(update.from, update.entry.state));
}

}  // namespace

void assert_well_formed(const core::Batch& batch) {
  std::size_t sends = 0;
  for (const core::Change& change : batch.changes) {
    if (const auto* send = std::get_if<core::AddSend>(&change)) {
      assert_well_formed(*send);
      ++sends;
    } else if (const auto* update = std::get_if<core::UpdateEntry>(&change)) {
      assert_well_formed(*update);
    } else if (const auto* append = std::get_if<core::AppendFrame>(&change)) {
      HF_ASSERT(append->frame.bytes != nullptr);
    }
  }
  HF_ASSERT(sends <= 1);
}

std::size_t bytes_of(const core::Batch& batch) {
  std::size_t bytes = 0;
  for (const core::Change& change : batch.changes) {
    bytes += 64;
    if (const auto* append = std::get_if<core::AppendFrame>(&change)) {
      bytes += append->frame.bytes->size();
    } else if (const auto* send = std::get_if<core::AddSend>(&change)) {
      bytes += send->body.size() + send->entries.size() * sizeof(core::Entry);
    }
  }
  return bytes;
}

const core::AddSend* send_of(const core::Batch& batch) {
  for (const core::Change& change : batch.changes) {
    if (const auto* send = std::get_if<core::AddSend>(&change)) return send;
  }
  return nullptr;
}

Error stale_update(const core::UpdateEntry& update) {
  return {
      Errc::conflict,
      fmt::format("entry {} is not {} and cannot become {}; nothing was changed", update.entry.seq,
                  core::to_string(update.from), core::to_string(update.entry.state))};
}

Error no_such_entry(core::Seq first_seq) {
  return {Errc::not_found, fmt::format("the outbox has no send that starts at {}", first_seq)};
}

}  // namespace holdfast::store
