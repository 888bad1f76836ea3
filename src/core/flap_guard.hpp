/// Flap guard: a bridge that accepts connections and drops them at once is not hammered.
#pragma once

#include <core/time.hpp>
#include <holdfast/reconnection_manager.hpp>
#include <limits>
#include <optional>

namespace holdfast::core {

/// Counts the connections in a row that lasted less than 30 s. The backoff cannot see them: each
/// one resets it. Failed attempts are not connections and change nothing here.
class FlapGuard {
 public:
  /// A connection that has been up this long was a good one.
  static constexpr Duration good_after = std::chrono::seconds{30};

  /// The bridge has answered. Repeats while connected change nothing.
  void connected(TimePoint now) noexcept {
    if (!connected_at_) connected_at_ = now;
  }

  /// The connection is gone. Repeats while disconnected, as after failed attempts, change nothing.
  void disconnected(TimePoint now) noexcept {
    if (!connected_at_) return;
    if (now - *connected_at_ >= good_after) {
      short_connections_ = 0;
    } else if (short_connections_ < std::numeric_limits<std::uint32_t>::max()) {
      ++short_connections_;
    }
    connected_at_.reset();
  }

  /// The least delay before an attempt: min(2^(k - 1), 60) s after k short connections in a row,
  /// 0 after none. From 30 s up on, k is forgotten.
  [[nodiscard]] Duration penalty(TimePoint now) const noexcept {
    const std::uint32_t k = short_connections(now);
    return k == 0 ? Duration::zero() : ReconnectionManager::nominal_backoff(k);
  }

  /// k.
  [[nodiscard]] std::uint32_t short_connections(TimePoint now) const noexcept {
    const bool good = connected_at_ && now - *connected_at_ >= good_after;
    return good ? 0 : short_connections_;
  }

 private:
  std::optional<TimePoint> connected_at_;
  std::uint32_t short_connections_ = 0;
};

}  // namespace holdfast::core
