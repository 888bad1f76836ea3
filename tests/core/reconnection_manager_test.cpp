#include <gtest/gtest.h>

#include <array>
#include <holdfast/reconnection_manager.hpp>
#include <limits>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = ConnectionState;

constexpr std::uint32_t uint32_max = std::numeric_limits<std::uint32_t>::max();
constexpr std::array all_states{State::connected, State::disconnected, State::reconnecting,
                                State::syncing};

/// Design §1, written down a second time, so that the table in the header is not its own judge.
const std::set<std::pair<State, State>> valid_pairs{
    {State::connected, State::disconnected}, {State::disconnected, State::reconnecting},
    {State::reconnecting, State::connected}, {State::reconnecting, State::disconnected},
    {State::connected, State::syncing},      {State::syncing, State::connected},
    {State::syncing, State::disconnected},
};

/// A manager in `state` with a count of attempts that is 0 only where it must be.
ReconnectionManager manager_in(State state) {
  ReconnectionManager manager{State::disconnected};
  if (state == State::disconnected) {
    manager.transition(State::reconnecting);
    manager.transition(State::disconnected);
    return manager;
  }
  manager.transition(State::reconnecting);
  if (state == State::reconnecting) return manager;
  manager.transition(State::connected);
  if (state == State::connected) return manager;
  manager.transition(State::syncing);
  return manager;
}

/// The link lost its peer and failed `failures` attempts.
ReconnectionManager after_failures(std::uint32_t failures) {
  ReconnectionManager manager;
  for (std::uint32_t i = 0; i < failures; ++i) {
    manager.transition(State::reconnecting);
    manager.transition(State::disconnected);
  }
  return manager;
}

TEST(ConnectionState, HasTheNamesThatPeopleSee) {
  EXPECT_EQ(to_string(State::connected), "CONNECTED");
  EXPECT_EQ(to_string(State::disconnected), "DISCONNECTED");
  EXPECT_EQ(to_string(State::reconnecting), "RECONNECTING");
  EXPECT_EQ(to_string(State::syncing), "SYNCING");
}

TEST(ConnectionState, NamesAValueThatIsNoStateAsUnknown) {
  EXPECT_EQ(to_string(static_cast<State>(4)), "UNKNOWN");
}

TEST(ReconnectionManager, StartsDisconnectedWithoutAttempts) {
  const ReconnectionManager manager;
  EXPECT_EQ(manager.state(), State::disconnected);
  EXPECT_EQ(manager.attempt_count(), 0U);
  EXPECT_EQ(manager.calculate_backoff(), seconds{1});
}

TEST(ReconnectionManager, StartsInTheStateThatItIsGiven) {
  for (const State state : all_states) {
    const ReconnectionManager manager{state};
    EXPECT_EQ(manager.state(), state);
    EXPECT_EQ(manager.attempt_count(), 0U);
  }
}

TEST(ReconnectionManager, KnowsExactlySevenOfTheSixteenPairsAsValid) {
  std::size_t valid_count = 0;
  for (const State from : all_states) {
    for (const State to : all_states) {
      const bool expected = valid_pairs.contains({from, to});
      EXPECT_EQ(ReconnectionManager::is_valid(from, to), expected)
          << to_string(from) << " -> " << to_string(to);
      valid_count += expected ? 1U : 0U;
    }
  }
  EXPECT_EQ(valid_count, 7U);
}

TEST(ReconnectionManager, MovesOnEveryValidPair) {
  for (const auto& [from, to] : valid_pairs) {
    ReconnectionManager manager = manager_in(from);
    ASSERT_EQ(manager.state(), from);
    EXPECT_TRUE(manager.transition(to)) << to_string(from) << " -> " << to_string(to);
    EXPECT_EQ(manager.state(), to);
  }
}

TEST(ReconnectionManager, ChangesNothingOnEveryInvalidPair) {
  for (const State from : all_states) {
    for (const State to : all_states) {
      if (valid_pairs.contains({from, to})) continue;
      ReconnectionManager manager = manager_in(from);
      const std::uint32_t count_before = manager.attempt_count();
      EXPECT_FALSE(manager.transition(to)) << to_string(from) << " -> " << to_string(to);
      EXPECT_EQ(manager.state(), from);
      EXPECT_EQ(manager.attempt_count(), count_before);
    }
  }
}

TEST(ReconnectionManager, KeepsItsCountWhenAnInvalidTransitionFollowsFailures) {
  ReconnectionManager manager = after_failures(5);
  EXPECT_FALSE(manager.transition(State::connected));
  EXPECT_FALSE(manager.transition(State::syncing));
  EXPECT_FALSE(manager.transition(State::disconnected));
  EXPECT_EQ(manager.attempt_count(), 5U);
  EXPECT_EQ(manager.calculate_backoff(), seconds{16});
}

TEST(ReconnectionManager, RefusesValuesThatNameNoState) {
  for (const auto nonsense : {static_cast<State>(4), static_cast<State>(255)}) {
    for (const State state : all_states) {
      EXPECT_FALSE(ReconnectionManager::is_valid(state, nonsense));
      EXPECT_FALSE(ReconnectionManager::is_valid(nonsense, state));
      ReconnectionManager manager = manager_in(state);
      EXPECT_FALSE(manager.transition(nonsense));
      EXPECT_EQ(manager.state(), state);
    }
  }
}

TEST(ReconnectionManager, CountsAnAttemptWhenItIsScheduledAndOnlyThen) {
  ReconnectionManager manager;
  for (std::uint32_t attempt = 1; attempt <= 100; ++attempt) {
    manager.transition(State::reconnecting);
    EXPECT_EQ(manager.attempt_count(), attempt);
    manager.transition(State::disconnected);
    EXPECT_EQ(manager.attempt_count(), attempt);
  }
}

TEST(ReconnectionManager, ForgetsTheCountWhenAnAttemptSucceeds) {
  ReconnectionManager manager = after_failures(9);
  manager.transition(State::reconnecting);
  ASSERT_EQ(manager.attempt_count(), 10U);
  manager.transition(State::connected);
  EXPECT_EQ(manager.attempt_count(), 0U);
  EXPECT_EQ(manager.calculate_backoff(), seconds{1});
}

TEST(ReconnectionManager, ResetsTheCountOnBothWaysIntoConnected) {
  using detail::Effect;
  EXPECT_EQ(detail::transition_cell(State::reconnecting, State::connected).effect, Effect::reset);
  EXPECT_EQ(detail::transition_cell(State::syncing, State::connected).effect, Effect::reset);
  for (const std::uint32_t count : {0U, 1U, 7U, uint32_max}) {
    EXPECT_EQ(detail::attempt_count_after(Effect::reset, count), 0U);
  }
}

TEST(ReconnectionManager, CountsUpToTheLargestIntegerAndStaysThere) {
  using detail::Effect;
  EXPECT_EQ(detail::attempt_count_after(Effect::increase, 0), 1U);
  EXPECT_EQ(detail::attempt_count_after(Effect::increase, uint32_max - 1), uint32_max);
  EXPECT_EQ(detail::attempt_count_after(Effect::increase, uint32_max), uint32_max);
  EXPECT_EQ(detail::attempt_count_after(Effect::keep, uint32_max), uint32_max);
}

TEST(Backoff, DoublesFromOneSecondToSixty) {
  const std::vector<int> expected_s{1, 2, 4, 8, 16, 32, 60, 60, 60, 60};
  for (std::size_t i = 0; i < expected_s.size(); ++i) {
    const auto attempt = static_cast<std::uint32_t>(i + 1);
    EXPECT_EQ(ReconnectionManager::nominal_backoff(attempt), seconds{expected_s[i]});
  }
}

TEST(Backoff, IsOneSecondWithoutAttempts) {
  EXPECT_EQ(ReconnectionManager::nominal_backoff(0), seconds{1});
}

TEST(Backoff, StaysAtSixtySecondsForEveryLargeCount) {
  for (std::uint32_t bit = 3; bit < 32; ++bit) {
    for (const std::uint32_t around : {0U, 1U, 2U}) {
      const std::uint32_t count = (1U << bit) - 1 + around;
      if (count < 7) continue;
      EXPECT_EQ(ReconnectionManager::nominal_backoff(count), seconds{60}) << count;
    }
  }
  for (std::uint32_t count = 7; count < 10'000; ++count) {
    ASSERT_EQ(ReconnectionManager::nominal_backoff(count), seconds{60}) << count;
  }
  EXPECT_EQ(ReconnectionManager::nominal_backoff(uint32_max - 1), seconds{60});
  EXPECT_EQ(ReconnectionManager::nominal_backoff(uint32_max), seconds{60});
}

TEST(Backoff, NeverFallsWhenTheCountGrows) {
  milliseconds before = ReconnectionManager::nominal_backoff(0);
  for (std::uint32_t count = 1; count < 200; ++count) {
    const milliseconds delay = ReconnectionManager::nominal_backoff(count);
    EXPECT_GE(delay, before);
    before = delay;
  }
}

TEST(Backoff, OfAManagerFollowsItsAttempts) {
  ReconnectionManager manager{State::connected};
  manager.transition(State::disconnected);
  for (const int expected_s : {1, 2, 4, 8, 16, 32, 60, 60}) {
    manager.transition(State::reconnecting);
    EXPECT_EQ(manager.calculate_backoff(), seconds{expected_s});
    manager.transition(State::disconnected);
    EXPECT_EQ(manager.calculate_backoff(), seconds{expected_s});
  }
}

TEST(Recovery, ReadsAsTheDesignSaysWhenTheFirstAttemptSucceeds) {
  ReconnectionManager manager{State::connected};
  for (const State next : {State::disconnected, State::reconnecting, State::connected,
                           State::syncing, State::connected}) {
    EXPECT_TRUE(manager.transition(next)) << to_string(next);
  }
  EXPECT_EQ(manager.attempt_count(), 0U);
}

TEST(Recovery, AfterSeveralFailuresStartsTheNextOneFromOneSecond) {
  ReconnectionManager manager{State::connected};
  manager.transition(State::disconnected);
  for (int i = 0; i < 4; ++i) {
    manager.transition(State::reconnecting);
    manager.transition(State::disconnected);
  }
  manager.transition(State::reconnecting);
  EXPECT_EQ(manager.calculate_backoff(), seconds{16});
  manager.transition(State::connected);

  manager.transition(State::disconnected);
  manager.transition(State::reconnecting);
  EXPECT_EQ(manager.attempt_count(), 1U);
  EXPECT_EQ(manager.calculate_backoff(), seconds{1});
}

TEST(Recovery, SurvivesADropWhileSyncing) {
  ReconnectionManager manager = manager_in(State::syncing);
  EXPECT_TRUE(manager.transition(State::disconnected));
  EXPECT_EQ(manager.attempt_count(), 0U);
  EXPECT_FALSE(manager.transition(State::syncing));
  EXPECT_TRUE(manager.transition(State::reconnecting));
  EXPECT_EQ(manager.attempt_count(), 1U);
  EXPECT_TRUE(manager.transition(State::connected));
  EXPECT_TRUE(manager.transition(State::syncing));
  EXPECT_TRUE(manager.transition(State::connected));
  EXPECT_EQ(manager.attempt_count(), 0U);
}

TEST(ReconnectionManager, WorksInConstantExpressionsAndNeverThrows) {
  constexpr auto recovered = [] {
    ReconnectionManager manager{State::connected};
    return manager.transition(State::disconnected) && manager.transition(State::reconnecting) &&
           manager.transition(State::connected) && !manager.transition(State::reconnecting);
  }();
  static_assert(recovered);

  using Manager = ReconnectionManager;
  static_assert(std::is_nothrow_default_constructible_v<Manager>);
  static_assert(std::is_nothrow_constructible_v<Manager, State>);
  static_assert(!std::is_convertible_v<State, Manager>, "the constructor is explicit");
  static_assert(noexcept(std::declval<Manager&>().transition(State::connected)));
  static_assert(noexcept(std::declval<const Manager&>().state()));
  static_assert(noexcept(std::declval<const Manager&>().attempt_count()));
  static_assert(noexcept(std::declval<const Manager&>().calculate_backoff()));
  static_assert(noexcept(Manager::is_valid(State::connected, State::syncing)));
  static_assert(noexcept(Manager::nominal_backoff(0)));
  static_assert(noexcept(to_string(State::connected)));
}

}  // namespace
}  // namespace holdfast
