#include <gtest/gtest.h>

#include <array>
#include <core/records.hpp>
#include <string_view>

namespace holdfast::core {
namespace {

TEST(EntryTransitions, AreThoseOfTheDesignAndNoOthers) {
  // Row: from; column: to, both in the order queued sending sent failed unknown held cancelled
  // expired.
  constexpr std::array<std::string_view, 8> table{
      // clang-format off
      ".X....XX",  // queued
      "X.XXX...",  // sending
      "........",  // sent
      "........",  // failed
      "X.X..XXX",  // unknown
      "X.X...XX",  // held
      "........",  // cancelled
      "........",  // expired
      // clang-format on
  };
  for (std::size_t from = 0; from < table.size(); ++from) {
    for (std::size_t to = 0; to < table.size(); ++to) {
      EXPECT_EQ(is_legal(static_cast<EntryState>(from), static_cast<EntryState>(to)),
                table[from][to] == 'X')
          << to_string(static_cast<EntryState>(from)) << " -> "
          << to_string(static_cast<EntryState>(to));
    }
  }
}

TEST(EntryTransitions, LeaveNoTerminalStateAndOnlyThose) {
  for (int from = 0; from < 8; ++from) {
    bool leaves = false;
    for (int to = 0; to < 8; ++to) {
      leaves |= is_legal(static_cast<EntryState>(from), static_cast<EntryState>(to));
    }
    EXPECT_EQ(leaves, !is_terminal(static_cast<EntryState>(from)));
  }
}

}  // namespace
}  // namespace holdfast::core
