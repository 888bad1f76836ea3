/// What every implementation of the store says about a batch before it applies it.
#pragma once

#include <core/records.hpp>

namespace holdfast::store {

/// How long an identity is known after its frame was trimmed.
inline constexpr std::int64_t identity_kept_ms = 30LL * 24 * 3'600'000;

/// Longest idempotency key, in bytes.
inline constexpr std::size_t idempotency_key_bytes_max = 256;

/// Ends the process if only a bug can have made this batch: an illegal transition, two sends in
/// one batch, a send without entries or of several accounts, an over-long idempotency key.
void assert_well_formed(const core::Batch& batch);

/// Bytes of the frames and bodies in it, roughly what it will take on the disk.
[[nodiscard]] std::size_t bytes_of(const core::Batch& batch);

/// The send in it, if there is one.
[[nodiscard]] const core::AddSend* send_of(const core::Batch& batch);

/// An entry was not in the state that its update starts from.
[[nodiscard]] Error stale_update(const core::UpdateEntry& update);

/// There is no send that starts at `first_seq`.
[[nodiscard]] Error no_such_entry(core::Seq first_seq);

[[nodiscard]] inline bool is_known(const core::Identity& identity) noexcept {
  return identity != core::Identity{};
}

/// The ledger's first row about an entry says this.
inline constexpr const char* why_accepted = "accepted";

}  // namespace holdfast::store
