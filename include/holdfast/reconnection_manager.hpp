/// The state machine of a connection that holds, and the backoff between its attempts.
///
/// It decides and remembers; it owns no socket, clock or thread. A link calls it from
/// `on_disconnect()` and `on_reconnect()` and waits what `calculate_backoff()` says.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace holdfast {

/// Where a connection stands.
enum class ConnectionState : std::uint8_t {
  connected,     ///< the peer has answered on this connection; normal operation
  disconnected,  ///< a drop, or a failed attempt, was noticed; left at once
  reconnecting,  ///< waiting for, then making, attempt `attempt_count()`
  syncing,       ///< reconnected; session state and backlog are being synchronised
};

/// The name in every log line, API answer and page: "CONNECTED", "DISCONNECTED", "RECONNECTING",
/// "SYNCING".
[[nodiscard]] constexpr std::string_view to_string(ConnectionState state) noexcept {
  // clang-format off
  switch (state) {
    case ConnectionState::connected: return "CONNECTED";
    case ConnectionState::disconnected: return "DISCONNECTED";
    case ConnectionState::reconnecting: return "RECONNECTING";
    case ConnectionState::syncing: return "SYNCING";
  }
  // clang-format on
  return "UNKNOWN";
}

namespace detail {

using State = ConnectionState;

inline constexpr std::size_t connection_state_count = 4;

/// What a transition does to the count of attempts.
enum class Effect : std::uint8_t { keep, increase, reset };

struct Transition {
  ConnectionState from;
  ConnectionState to;
  Effect effect;
};

/// Every valid transition. A pair that is not here is refused.
// clang-format off
inline constexpr std::array valid_transitions{
    Transition{State::connected,    State::disconnected, Effect::keep},      // link dropped
    Transition{State::disconnected, State::reconnecting, Effect::increase},  // attempt scheduled
    Transition{State::reconnecting, State::connected,    Effect::reset},     // attempt succeeded
    Transition{State::reconnecting, State::disconnected, Effect::keep},      // attempt failed
    Transition{State::connected,    State::syncing,      Effect::keep},      // sync starts
    Transition{State::syncing,      State::connected,    Effect::reset},     // sync complete
    Transition{State::syncing,      State::disconnected, Effect::keep},      // link dropped
};
// clang-format on

/// One cell per ordered pair of states, so that a look-up is one load.
struct TransitionCell {
  bool valid = false;
  Effect effect = Effect::keep;
};

using TransitionTable =
    std::array<std::array<TransitionCell, connection_state_count>, connection_state_count>;

inline constexpr TransitionTable transition_table = [] {
  TransitionTable table{};
  for (const Transition& transition : valid_transitions) {
    table[static_cast<std::size_t>(transition.from)][static_cast<std::size_t>(transition.to)] =
        TransitionCell{true, transition.effect};
  }
  return table;
}();

/// The cell of a pair; values that name no state have an invalid one.
[[nodiscard]] constexpr TransitionCell transition_cell(ConnectionState from,
                                                       ConnectionState to) noexcept {
  const auto row = static_cast<std::size_t>(from);
  const auto column = static_cast<std::size_t>(to);
  if (row >= connection_state_count || column >= connection_state_count) return {};
  return transition_table[row][column];
}

/// `attempt_count` after `effect`. Increasing stops at the largest integer; it never wraps.
[[nodiscard]] constexpr std::uint32_t attempt_count_after(Effect effect,
                                                          std::uint32_t attempt_count) noexcept {
  switch (effect) {
    case Effect::keep:
      return attempt_count;
    case Effect::increase:
      return attempt_count == std::numeric_limits<std::uint32_t>::max() ? attempt_count
                                                                        : attempt_count + 1;
    case Effect::reset:
      return 0;
  }
  return attempt_count;
}

}  // namespace detail

/// Which state a connection is in, and how many attempts there have been since it last was
/// CONNECTED.
///
///                     attempt failed
///              ┌───────────────────────────┐
///              ▼        scheduled          │
///       ┌──────────────┐ +1     ┌──────────┴───┐
///   ┌──►│ DISCONNECTED ├───────►│ RECONNECTING │
///   │   └──────────────┘        └──────┬───────┘
///   │          ▲                       │ attempt succeeded, count = 0
///   │          │ link dropped          ▼
///   │          │                ┌──────────────┐
///   │          └────────────────┤  CONNECTED   │
///   │                           └───┬──────────┘
///   │   link dropped     sync starts│      ▲ sync complete, count = 0
///   │   while syncing               ▼      │
///   │                           ┌──────────┴───┐
///   └───────────────────────────┤   SYNCING    │
///                               └──────────────┘
///
/// A recovery reads CONNECTED → DISCONNECTED → RECONNECTING → CONNECTED → SYNCING → CONNECTED.
class ReconnectionManager {
 public:
  /// Starts in `initial` with no attempts counted.
  explicit constexpr ReconnectionManager(
      ConnectionState initial = ConnectionState::disconnected) noexcept
      : state_{initial} {}

  /// Moves to `to` and counts: +1 on RECONNECTING (saturating), 0 on CONNECTED.
  /// False, and nothing changed, when the transition is not valid; staying in a state is not one.
  constexpr bool transition(ConnectionState to) noexcept {
    const detail::TransitionCell cell = detail::transition_cell(state_, to);
    if (!cell.valid) return false;
    state_ = to;
    attempt_count_ = detail::attempt_count_after(cell.effect, attempt_count_);
    return true;
  }

  [[nodiscard]] constexpr ConnectionState state() const noexcept { return state_; }

  /// The attempt that is waited for or being made; 0 while CONNECTED and before the first one.
  [[nodiscard]] constexpr std::uint32_t attempt_count() const noexcept { return attempt_count_; }

  /// Nominal delay before attempt `attempt_count()`, in [1 s, 60 s]. Without jitter.
  [[nodiscard]] constexpr std::chrono::milliseconds calculate_backoff() const noexcept {
    return nominal_backoff(attempt_count_);
  }

  /// Whether `from` → `to` is one of the seven valid transitions. One table look-up.
  [[nodiscard]] static constexpr bool is_valid(ConnectionState from, ConnectionState to) noexcept {
    return detail::transition_cell(from, to).valid;
  }

  /// min(2^(attempt_count - 1), 60) s: 1, 2, 4, 8, 16, 32, 60, 60, … s; 1 s for attempt_count 0.
  /// Never overflows: from attempt 7 on it is 60 s for any count.
  [[nodiscard]] static constexpr std::chrono::milliseconds nominal_backoff(
      std::uint32_t attempt_count) noexcept {
    constexpr std::uint32_t attempts_until_max = 7;  // 2^6 = 64 is the first power above 60
    if (attempt_count == 0) return std::chrono::seconds{1};
    if (attempt_count >= attempts_until_max) return std::chrono::seconds{60};
    return std::chrono::seconds{1U << (attempt_count - 1)};
  }

 private:
  ConnectionState state_;
  std::uint32_t attempt_count_ = 0;
};

static_assert(detail::valid_transitions.size() == 7);
static_assert(!ReconnectionManager::is_valid(ConnectionState::reconnecting,
                                             ConnectionState::syncing),
              "nothing syncs before it is connected");
static_assert(!ReconnectionManager::is_valid(ConnectionState::disconnected,
                                             ConnectionState::syncing),
              "nothing syncs before it is connected");
static_assert(!ReconnectionManager::is_valid(ConnectionState::disconnected,
                                             ConnectionState::connected),
              "nothing is connected without an attempt");
static_assert(!ReconnectionManager::is_valid(ConnectionState::connected,
                                             ConnectionState::reconnecting),
              "a drop is noticed before an attempt is made");
static_assert(ReconnectionManager::nominal_backoff(0) == std::chrono::seconds{1} &&
                  ReconnectionManager::nominal_backoff(1) == std::chrono::seconds{1} &&
                  ReconnectionManager::nominal_backoff(6) == std::chrono::seconds{32} &&
                  ReconnectionManager::nominal_backoff(7) == std::chrono::seconds{60} &&
                  ReconnectionManager::nominal_backoff(std::numeric_limits<std::uint32_t>::max()) ==
                      std::chrono::seconds{60},
              "the backoff doubles up to 60 s and stays there");
static_assert(detail::attempt_count_after(detail::Effect::increase,
                                          std::numeric_limits<std::uint32_t>::max()) ==
                  std::numeric_limits<std::uint32_t>::max(),
              "the count saturates");

}  // namespace holdfast
