/// What came of one call upstream, classified by what it proves (signal-upstreams 4.3).
#pragma once

#include <core/time.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::core {

struct SendOutcome {
  enum class Kind : std::uint8_t {
    sent,          ///< the bridge says SUCCESS for at least one recipient
    failed,        ///< definitely not sent, and a repeat would fail too
    not_sent,      ///< definitely not sent; a repeat may work
    rate_limited,  ///< Signal asks us to wait; nothing was sent (for a group: see `ambiguous`)
    ambiguous,     ///< it may have been sent
  };
  /// How much a rate limit freezes.
  enum class Scope : std::uint8_t { recipient, account };

  Kind kind = Kind::ambiguous;
  std::int64_t timestamp = 0;           ///< `sent`: the message's id, ms
  std::string why;                      ///< one sentence; the bridge's own words where it gave some
  int status = 0;                       ///< `failed`: the HTTP status for the caller, 4xx
  std::optional<Duration> retry_after;  ///< `rate_limited`: as declared; nothing: not declared
  Scope scope = Scope::recipient;
  std::string
      challenge_token;  ///< `rate_limited`: proof is required, a person must solve a captcha
};

}  // namespace holdfast::core
