/// What the store keeps, and the batches that change it. Plain data: `store/` carries it out, the
/// simulator forgets it, `core/` decides it.
#pragma once

#include <array>
#include <cstdint>
#include <holdfast/result.hpp>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::core {

/// A sequence number: dense from 1; 0 means "before the first".
using Seq = std::uint64_t;

/// 128 bits that name one message (`upstream/envelope.hpp`); equal ones are one message. All zero:
/// unknown, never a duplicate. Where the first 6 bytes are the message's time (ms, big-endian), the
/// store writes neighbours next to each other: about twice as fast in a burst as plain hashes.
using Identity = std::array<std::uint8_t, 16>;

enum class FrameKind : std::uint8_t {
  data,
  edit,
  reaction,
  remote_delete,
  receipt,
  typing,
  sync,
  call,
  story,
  exception,
  other,
  malformed
};
[[nodiscard]] const char* to_string(FrameKind kind) noexcept;

/// An inbound frame: the bytes that came, and what was read out of them.
struct Frame {
  Seq seq = 0;  ///< given by the store's writer
  std::int64_t received_at_ms = 0;
  FrameKind kind = FrameKind::other;
  Identity identity{};
  std::optional<std::int64_t>
      server_received_ms;                    ///< Signal's server clock, where the bridge says it
  std::shared_ptr<const std::string> bytes;  ///< `{"envelope":…,"account":…}`, verbatim
};

/// The life of an outbox entry (design §2). `sent`, `failed`, `cancelled`, `expired` are terminal.
enum class EntryState : std::uint8_t {
  queued,
  sending,
  sent,
  failed,
  unknown,
  held,
  cancelled,
  expired
};
[[nodiscard]] const char* to_string(EntryState state) noexcept;
[[nodiscard]] constexpr bool is_terminal(EntryState state) noexcept {
  return state == EntryState::sent || state == EntryState::failed ||
         state == EntryState::cancelled || state == EntryState::expired;
}

/// The transitions of an entry (design §2); every other pair is a bug.
[[nodiscard]] constexpr bool is_legal(EntryState from, EntryState to) noexcept {
  using enum EntryState;
  switch (from) {
    case queued:
      return to == sending || to == cancelled || to == expired;
    case sending:
      return to == sent || to == failed || to == queued || to == unknown;
    case unknown:
      return to == sent || to == queued || to == held || to == cancelled || to == expired;
    case held:
      return to == queued || to == sent || to == cancelled || to == expired;
    case sent:
    case failed:
    case cancelled:
    case expired:
      return false;
  }
  return false;
}

/// What an outbox entry asks of the bridge.
enum class Operation : std::uint8_t { send, reaction, remove_reaction, receipt, remote_delete };
[[nodiscard]] const char* to_string(Operation operation) noexcept;

/// One call to make upstream, to one recipient or group. The body is stored once and separately.
struct Entry {
  Seq seq = 0;              ///< given by the store's writer; its external name is `entry_id()`
  Seq first_seq = 0;        ///< the first entry of the same send; == seq for a single recipient
  std::uint32_t parts = 1;  ///< how many entries the send has; their sequences are consecutive
  std::string account;
  std::string recipient;  ///< "+N", an ACI, a user name, or "group.…": the conversation
  Operation operation = Operation::send;
  EntryState state = EntryState::queued;
  std::uint32_t attempts = 0;
  bool possible_duplicate = false;
  bool out_of_order = false;  ///< sent after later ones of its conversation: it was `held`
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;
  std::int64_t provisional_timestamp = 0;  ///< what its caller was told while it had to wait, ms
  std::int64_t timestamp = 0;              ///< the real one, from the bridge; 0 until sent
  std::uint64_t body_bytes = 0;            ///< size of the body (the same for all parts)
  std::string error;                       ///< the last failure, for people
};

/// A row of the ledger: one entry changed its state. The first row of an entry has no `from`.
struct LedgerRow {
  Seq entry = 0;
  std::optional<EntryState> from;
  EntryState to = EntryState::queued;
  std::int64_t at_ms = 0;
  std::string why;
};

/// The external name of an entry's send: "<epoch as 8 hex digits>-<first_seq>", and ".<part>"
/// (1, 2, …) behind it where the send has several parts. Unique across a restored store.
[[nodiscard]] std::string send_id(std::uint64_t epoch, const Entry& entry);
[[nodiscard]] std::string entry_id(std::uint64_t epoch, const Entry& entry);

/// `send_id()` and `entry_id()` read back. Part 0 names the send.
struct ParsedId {
  Seq first_seq = 0;
  std::uint32_t part = 0;
};
[[nodiscard]] std::optional<ParsedId> parse_id(std::uint64_t epoch, std::string_view id);

// --- Batches ------------------------------------------------------------------------------------

/// Append to an account's inbound log, unless its identity is already there.
struct AppendFrame {
  std::string account;
  Frame frame;
};

/// Typing indicators that came and were not stored; kept as a count for G3.
struct CountEphemeral {
  std::string account;
  std::uint64_t count = 0;
};

/// Retention: the account's frames up to and including `up_to` are erased. Their identities stay
/// known for 30 days after `at_ms`. The caller bounds how many frames go at once.
struct TrimFrames {
  std::string account;
  Seq up_to = 0;
  std::int64_t at_ms = 0;
};

/// The consumer has everything up to and including `seq`. The unnamed consumer's name is empty.
struct PutCursor {
  std::string account;
  std::string consumer;
  Seq seq = 0;
};

/// A caller's promise that a repeat of this call is the same call.
struct IdempotencyKey {
  std::string key;        ///< as the caller gave it; at most 256 bytes
  std::string body_hash;  ///< of the request, so that another body under the same key is noticed
};

/// New entries of one send, consecutive, `queued`. The body is shared by all parts. With a key that
/// is known, nothing of the batch is applied and the result names the send that has it.
struct AddSend {
  std::vector<Entry> entries;
  std::string body;
  std::optional<IdempotencyKey> key;
};

/// An entry as it is now; writes a ledger row when `from` differs from its state. An entry that is
/// not in `from` fails the batch with `conflict`.
struct UpdateEntry {
  Entry entry;
  EntryState from = EntryState::queued;
  std::int64_t at_ms = 0;
  std::string why;
};

using Change =
    std::variant<AppendFrame, CountEphemeral, TrimFrames, PutCursor, AddSend, UpdateEntry>;

/// Applied whole or not at all. At most one AddSend. An empty batch is a probe: it writes a row of
/// the store's own, so its success says that the store is writable.
struct Batch {
  std::vector<Change> changes;
};

/// A send that was found under an idempotency key.
struct KnownSend {
  Seq first_seq = 0;
  std::string body_hash;
};

/// What a durable batch gave, in the order of its changes.
struct Applied {
  std::vector<Seq> frame_seqs;     ///< one per AppendFrame; 0 = a duplicate, not stored again
  Seq first_entry_seq = 0;         ///< of AddSend
  std::optional<KnownSend> known;  ///< AddSend met its key: nothing was applied
};

/// Everything about an account that a start needs.
struct AccountRecord {
  std::string account;
  Seq last_seq = 0;   ///< of its inbound log
  Seq first_seq = 1;  ///< the oldest that is still stored
  Seq cursor = 0;     ///< of the unnamed consumer
  std::uint64_t duplicates = 0;
  std::uint64_t ephemeral = 0;
};

/// What is loaded at a start.
struct Recovered {
  std::uint64_t epoch = 0;
  std::vector<AccountRecord> accounts;
  std::vector<Entry> pending;  ///< not terminal, by sequence
};

}  // namespace holdfast::core
