/// What `core/` wants done. Machines append to one list; a driver (or the simulator) carries the
/// effects out in order and feeds what happened back in.
#pragma once

#include <core/failure.hpp>
#include <core/records.hpp>
#include <core/time.hpp>
#include <holdfast/reconnection_manager.hpp>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::core {

/// The place of a link in the gateway's list of accounts.
using LinkId = std::uint32_t;
/// A client that receives: a WebSocket or one poll. Given by the driver, never used twice.
using ClientId = std::uint64_t;
/// A call that submits a send. Given by the driver, never used twice.
using SubmissionId = std::uint64_t;
/// Names a batch between `Commit` and `Gateway::committed()`.
using Ticket = std::uint64_t;

// --- to the bridge ---
struct Dial {
  LinkId link;
  Generation generation;
  bool repeat_refused;  ///< a hint to a local address: repeat a refused connect for 250 ms
};
struct HangUp {
  LinkId link;
  Generation generation;
};
struct Identify {
  LinkId link;
  Generation generation;
};
struct Subscribe {
  LinkId link;
  Generation generation;
};
struct PauseReceive {
  LinkId link;
  Generation generation;
};
struct ResumeReceive {
  LinkId link;
  Generation generation;
};
struct Probe {
  LinkId link;
  Generation generation;
};
struct Transmit {
  LinkId link;
  Entry entry;
};

// --- to the store ---
struct Commit {
  Ticket ticket;
  Batch batch;
};
/// Read frames of the link's account after `after` for one client; answered by `Gateway::page()`.
struct ReadFrames {
  LinkId link;
  ClientId client;
  Seq after;
  std::size_t count_max;
  std::size_t bytes_max;
};

// --- to clients ---
/// Write this frame. `seq` 0: ephemeral.
struct Deliver {
  ClientId client;
  Frame frame;
};
/// After the completed write of what was delivered: ask for a pong that carries `seq`. A poll is
/// answered now, and counts once the peer's kernel has acknowledged it.
struct AskAck {
  ClientId client;
  Seq seq;
};

/// What became of a submission.
struct Answer {
  enum class Kind : std::uint8_t {
    settled,  ///< every part is terminal
    pending,  ///< durable, and not settled within the wait
    known,    ///< the idempotency key belongs to a send that is settled: read it at `first_seq`
    refused,  ///< nothing was accepted: `error`
  };
  SubmissionId submission;
  Kind kind;
  Seq first_seq = 0;
  std::vector<Entry> parts{};
  int status = 0;  ///< HTTP status of a definite failure, else 0
  std::optional<Error> error{};
};

// --- to whoever watches ---
struct Transition {
  LinkId link;
  ConnectionState from;
  ConnectionState to;
  std::int64_t at_ms;
  Reason reason;
  std::string evidence;
  std::uint32_t attempt_count;
  Duration nominal_delay{};  ///< of the wait that begins, else 0
  Duration actual_delay{};   ///< with jitter, flap guard and Retry-After
  std::int64_t next_attempt_at_ms = 0;
};
/// An entry changed its state, durably.
struct EntryChanged {
  Entry entry;
  std::optional<EntryState> from;
  std::string why;
};
/// Frames became durable.
struct Received {
  LinkId link;
  std::size_t frames;
  std::size_t duplicates;
  Seq last_seq;
};
/// Something a person should read: a phase past its deadline, a paused intake.
struct Remark {
  LinkId link;
  std::int64_t at_ms;
  std::string text;
};

using Effect = std::variant<Dial, HangUp, Identify, Subscribe, PauseReceive, ResumeReceive, Probe,
                            Transmit, Commit, ReadFrames, Deliver, AskAck, Answer, Transition,
                            EntryChanged, Received, Remark>;
using Effects = std::vector<Effect>;

}  // namespace holdfast::core
