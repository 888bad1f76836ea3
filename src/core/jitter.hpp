/// Jitter: spreads the attempts of many links that lost the same bridge at the same moment.
#pragma once

#include <core/time.hpp>
#include <optional>
#include <string_view>

namespace holdfast::core {

/// Which share of a nominal delay is drawn at random.
enum class JitterKind : std::uint8_t {
  none,   ///< the nominal delay itself
  equal,  ///< uniform in [d/2, d]: 60 s stays the maximum, and nobody hurries by more than half
  full,   ///< uniform in [0, d]
};

/// The spelling on the command line and in the configuration.
[[nodiscard]] constexpr const char* to_string(JitterKind kind) noexcept {
  // clang-format off
  switch (kind) {
    case JitterKind::none: return "none";
    case JitterKind::equal: return "equal";
    case JitterKind::full: return "full";
  }
  // clang-format on
  return "unknown";
}

/// `to_string()` read back; nothing for any other text.
[[nodiscard]] constexpr std::optional<JitterKind> parse_jitter(std::string_view text) noexcept {
  for (const JitterKind kind : {JitterKind::none, JitterKind::equal, JitterKind::full}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

class Jitter {
 public:
  explicit Jitter(JitterKind kind) noexcept : kind_{kind} {}

  /// The delay to wait instead of `nominal`, never longer than it. A negative delay counts as 0.
  [[nodiscard]] Duration apply(Duration nominal, Rng& rng) const {
    if (nominal <= Duration::zero()) return Duration::zero();
    switch (kind_) {
      case JitterKind::none:
        return nominal;
      case JitterKind::equal:
        return uniform(nominal - nominal / 2, nominal, rng);
      case JitterKind::full:
        return uniform(Duration::zero(), nominal, rng);
    }
    return nominal;
  }

  [[nodiscard]] JitterKind kind() const noexcept { return kind_; }

 private:
  /// Uniform in [low, high] by one draw. Plain arithmetic, because what the standard library's
  /// distributions draw differs between implementations and a seed must reproduce its run. The
  /// bias is below 2^-40 for every delay of interest.
  static Duration uniform(Duration low, Duration high, Rng& rng) {
    const auto choices = static_cast<std::uint64_t>((high - low).count()) + 1;
    return low + Duration{static_cast<Duration::rep>(rng() % choices)};
  }

  JitterKind kind_;
};

}  // namespace holdfast::core
