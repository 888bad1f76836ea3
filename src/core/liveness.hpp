/// Liveness: notices a connection that is half-open, within 20 s (G8).
#pragma once

#include <algorithm>
#include <core/time.hpp>
#include <cstdint>

namespace holdfast::core {

/// Any inbound byte is life. After 8 s of silence the peer is probed; 10 s later it is dead.
///
/// The driver calls `check()` at `deadline()`. A late check (a suspended machine, a busy loop)
/// probes first and always leaves the peer its 10 s to answer.
class Liveness {
 public:
  static constexpr Duration probe_after = std::chrono::seconds{8};
  static constexpr Duration dead_after_probe = std::chrono::seconds{10};

  enum class Verdict : std::uint8_t {
    alive,  ///< nothing to do
    probe,  ///< send a probe now; said once per silence
    dead,   ///< the connection is half-open; hang up
  };

  Liveness() = default;
  /// A connection that stands since `now`.
  explicit Liveness(TimePoint now) noexcept : last_activity_{now} {}

  /// A byte came, or the connection was made. Ends the silence.
  void activity(TimePoint now) noexcept {
    last_activity_ = std::max(last_activity_, now);
    probed_ = false;
  }

  [[nodiscard]] Verdict check(TimePoint now) noexcept {
    if (now < deadline()) return Verdict::alive;
    if (probed_) return Verdict::dead;
    probed_ = true;
    probed_at_ = now;
    return Verdict::probe;
  }

  /// When the next check can say something other than `alive`.
  [[nodiscard]] TimePoint deadline() const noexcept {
    return probed_ ? probed_at_ + dead_after_probe : last_activity_ + probe_after;
  }

 private:
  TimePoint last_activity_{};
  TimePoint probed_at_{};
  bool probed_ = false;  ///< a probe is unanswered
};

}  // namespace holdfast::core
