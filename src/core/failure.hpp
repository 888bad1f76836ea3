/// Why a connection is not there: a class for machines, a sentence of evidence for people (G8).
#pragma once

#include <core/time.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::core {

/// Which connection of a link an event belongs to; a later one is greater. A late event of an old
/// connection cannot touch the new one.
using Generation = std::uint64_t;

/// Reason classes. The spellings are stable: they are `reason` in the API.
enum class Reason : std::uint8_t {
  started,       ///< the process started
  scheduled,     ///< the wait is over (or there was none)
  hinted,        ///< evidence said that waiting is pointless
  requested,     ///< a person said "retry now"
  answered,      ///< the bridge answered
  synchronised,  ///< SYNCING is complete
  refused,       ///< nobody listens there
  unreachable,   ///< no route, or no such host
  timed_out,     ///< connecting and answering took longer than 10 s
  closed,        ///< the peer closed the connection, or it was reset
  silent,        ///< no byte for 18 s, though asked: half-open
  protocol,      ///< the peer does not speak what it should
  bridge_mode,   ///< the bridge runs in a mode without a stream
  account,       ///< the bridge does not know the account
  busy,          ///< the bridge said Retry-After
  unauthorised,  ///< the bridge wants credentials, or TLS could not be verified
  stopped,       ///< we are stopping
};
[[nodiscard]] const char* to_string(Reason reason) noexcept;

struct Failure {
  Reason reason = Reason::closed;
  std::string evidence;                 ///< one sentence without numbers of persons or bodies
  std::optional<Duration> retry_after;  ///< what the bridge asked for
};

}  // namespace holdfast::core
