/// What Holdfast reads out of an inbound frame: which message it is, and nothing that it could do
/// without. The frame itself is kept as the bytes that came.
///
/// **Identity.** Signal has no global message id, so a message is named by a tuple that survives a
/// redelivery:
///
///     account | sourceUuid, else sourceNumber, else source | sourceDevice | kind | timestamp |
///     discriminator
///
/// hashed with SHA-256 and cut to 128 bits. Each field goes in behind its length, so that no sender
/// can shift a byte from one field into the next. What a redelivery or a late look-up changes is
/// left out: `serverDeliveredTimestamp`, `sourceName`, and `sourceNumber` where an ACI is there.
///
/// | kind | timestamp | discriminator |
/// |---|---|---|
/// | data | the envelope's | group id |
/// | edit | the inner, new one | group id, timestamp of the edited message |
/// | reaction | the envelope's | group id, target author and timestamp, emoji, whether removed |
/// | remote_delete | the envelope's | group id, timestamp of the deleted message |
/// | receipt | the envelope's | delivery/read/viewed, the sorted timestamps |
/// | typing | the envelope's | action, group id |
/// | sync | that of the sent message, else the envelope's | destination and group of a sent message
/// with the discriminator of its content; any other content as it came | | call | the envelope's |
/// the call message as it came | | story | the envelope's | group id, the story as it came | |
/// exception | the envelope's | the exception's type and `serverReceivedTimestamp`, so that neither
/// a later good copy nor a sender's next try is taken for it | | other | the envelope's |
/// `serverReceivedTimestamp` |
///
/// A frame without source or timestamp is named by `serverReceivedTimestamp` and the hash of its
/// bytes. A malformed one by the hash of its bytes and a serial: equal bytes may be two events, and
/// it is better kept twice than lost.
#pragma once

#include <core/records.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::upstream {

/// Deeper nesting makes a frame malformed.
inline constexpr std::size_t json_depth_max = 64;

/// A message that another device of the account sent, as its sync transcript tells it.
struct SentTranscript {
  std::int64_t timestamp = 0;  ///< the message's id, ms
  std::string uuid;            ///< of the destination; empty where unknown or a group
  std::string number;
  std::string group;  ///< the internal group id (base64), else empty
};

struct ParsedFrame {
  core::FrameKind kind = core::FrameKind::malformed;
  core::Identity identity{};
  std::int64_t timestamp = 0;  ///< the sender's clock, ms; 0 where the frame says none
  std::optional<std::int64_t> server_received_ms;
  std::string sender;         ///< the ACI, else the number, else what `source` says, else ""
  std::string sender_number;  ///< where the frame shows it
  std::string account;        ///< the frame's own word for whom it is
  bool ephemeral = false;     ///< typing: for live consumers, never stored

  // Evidence about what we sent (G6).
  std::vector<std::int64_t> receipts;        ///< `receipt`: ids of messages that reached `sender`
  std::optional<SentTranscript> transcript;  ///< `sync`: what another device of ours sent
};

/// Reads a frame (`{"envelope":…,"account":…}`). Anything is accepted; what is no JSON object with
/// an `envelope` object in it is `malformed`. `serial` must differ between the calls of an
/// account's lifetime; only the identity of malformed frames depends on it.
[[nodiscard]] ParsedFrame parse_frame(std::string_view json, std::uint64_t serial) noexcept;

/// Serials for `parse_frame()`: a random start, then counting, so that two runs of the process do
/// not meet.
class FrameSerials {
 public:
  FrameSerials();
  [[nodiscard]] std::uint64_t next() noexcept { return ++last_; }

 private:
  std::uint64_t last_;
};

/// The frame as the gateway takes it.
[[nodiscard]] core::Frame make_frame(std::string bytes, std::uint64_t serial,
                                     std::int64_t received_at_ms);

}  // namespace holdfast::upstream
