/// The gateway's events as lines for a person: one per transition, batch of messages and send.
/// Accounts show their last two characters; recipients and texts never appear.
#pragma once

#include <cstdint>
#include <gateway/events.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

/// How a line's time is written.
enum class TimeStyle {
  clock,  ///< 14:02:07.125, local: for someone who watches
  full,   ///< 2025-03-01T14:02:07.125Z: for a log
};
[[nodiscard]] std::string time_text(std::int64_t unix_ms, TimeStyle style);

/// "640 ms", "3.2 s", "4 min 10 s", "3 h 5 min", "2 d 4 h".
[[nodiscard]] std::string duration_text(std::int64_t ms);

/// A state's name in its colour where `colour` is true.
[[nodiscard]] std::string state_text(std::string_view state, bool colour);

class EventLines {
 public:
  EventLines(TimeStyle style, bool colour) : style_{style}, colour_{colour} {}

  /// The line for `event`, which happened at about `now_ms`; nothing for events without one.
  [[nodiscard]] std::optional<std::string> line(const gateway::Event& event, std::int64_t now_ms);
  /// A line of the program's own.
  [[nodiscard]] std::string remark(std::string_view text, std::int64_t now_ms) const;

 private:
  [[nodiscard]] std::string begin(std::int64_t at_ms, std::string_view account) const;
  [[nodiscard]] std::string dim(std::string_view text) const;

  TimeStyle style_;
  bool colour_;
  std::map<std::string, std::string> states_;  ///< each account's link
};

}  // namespace holdfast::app
