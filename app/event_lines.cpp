#include <fmt/format.h>

#include <algorithm>
#include <app/event_lines.hpp>
#include <app/json_view.hpp>
#include <app/values.hpp>
#include <array>
#include <ctime>

namespace holdfast::app {
namespace {

constexpr std::size_t state_width = 12;  // of "RECONNECTING"

std::string coloured(std::string_view text, int code) {
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

/// The reason to wait, and how long; nothing where an attempt follows at once.
std::string attempt_text(const JsonView& transition) {
  const std::int64_t nominal = transition.integer("nominal_delay_ms");
  const std::int64_t actual = transition.integer("actual_delay_ms");
  const std::int64_t attempt = transition.integer("attempt_count");
  if (actual == 0) return fmt::format("attempt {}", attempt);
  return fmt::format("attempt {} in {} (nominal {})", attempt, duration_text(actual),
                     duration_text(nominal));
}

}  // namespace

std::string time_text(std::int64_t unix_ms, TimeStyle style) {
  const std::time_t seconds = unix_ms / 1'000;
  std::tm parts{};
  if (style == TimeStyle::clock) {
    ::localtime_r(&seconds, &parts);
    return fmt::format("{:02}:{:02}:{:02}.{:03}", parts.tm_hour, parts.tm_min, parts.tm_sec,
                       unix_ms % 1'000);
  }
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     unix_ms % 1'000);
}

std::string duration_text(std::int64_t ms) {
  ms = std::max<std::int64_t>(ms, 0);
  if (ms < 1'000) return fmt::format("{} ms", ms);
  if (ms < 60'000) {
    const std::int64_t tenths = ms % 1'000 / 100;
    return tenths == 0 ? fmt::format("{} s", ms / 1'000)
                       : fmt::format("{}.{} s", ms / 1'000, tenths);
  }
  struct Unit {
    std::int64_t ms;
    std::string_view name;
  };
  constexpr std::array units{Unit{86'400'000, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "min"},
                             Unit{1'000, "s"}};
  const auto unit =
      std::find_if(units.begin(), units.end(), [ms](const Unit& u) { return ms >= u.ms; });
  const auto finer = unit + 1;
  const std::int64_t rest = ms % unit->ms / finer->ms;
  const std::string whole = fmt::format("{} {}", ms / unit->ms, unit->name);
  return rest == 0 ? whole : fmt::format("{} {} {}", whole, rest, finer->name);
}

std::string state_text(std::string_view state, bool colour) {
  if (!colour) return std::string{state};
  if (state == "CONNECTED") return coloured(state, 32);
  if (state == "SYNCING") return coloured(state, 36);
  if (state == "RECONNECTING") return coloured(state, 33);
  if (state == "DISCONNECTED") return coloured(state, 31);
  return std::string{state};
}

std::string EventLines::dim(std::string_view text) const {
  return colour_ ? coloured(text, 2) : std::string{text};
}

std::string EventLines::begin(std::int64_t at_ms, std::string_view account) const {
  return fmt::format("{}  {}  ", dim(time_text(at_ms, style_)), redacted(account));
}

std::string EventLines::remark(std::string_view text, std::int64_t now_ms) const {
  return fmt::format("{}  {}", dim(time_text(now_ms, style_)), text);
}

std::optional<std::string> EventLines::line(const gateway::Event& event, std::int64_t now_ms) {
  const JsonDocument document{event.json};
  const JsonView& view = document.root();
  const std::string account = view.text("account");
  if (event.type == "transition") {
    const std::string from = view.text("from");
    const std::string to = view.text("to");
    states_[account] = to;
    const std::string detail = to == "RECONNECTING" ? attempt_text(view) : view.text("evidence");
    // The arrow stands below the arrow.
    return fmt::format("{}{:>{}}{} → {}{:<{}}  {}", begin(view.integer("at", now_ms), account), "",
                       state_width - std::min(state_width, from.size()), state_text(from, colour_),
                       state_text(to, colour_), "", state_width - std::min(state_width, to.size()),
                       detail);
  }
  if (event.type == "received") {
    const std::int64_t frames = view.integer("frames");
    const std::int64_t repeats = view.integer("duplicates");
    std::string text = fmt::format("received {} message{}, stored up to {}", frames,
                                   frames == 1 ? "" : "s", view.integer("last_seq"));
    if (repeats > 0) text += fmt::format(" ({} repeated and left out)", repeats);
    return begin(now_ms, account) + text;
  }
  if (event.type == "entry") {
    const std::string state = view.text("state");
    const std::string id = view.text("id");
    const std::string why = view.text("why");
    // What goes straight through is one line, at its end.
    if (state == "sending") return std::nullopt;
    if (state == "queued" && view.text("from").empty()) {
      const auto link = states_.find(account);
      if (link == states_.end() || link->second == "CONNECTED" || link->second == "SYNCING") {
        return std::nullopt;
      }
      return begin(now_ms, account) + fmt::format("send {} queued until the bridge is back", id);
    }
    std::string text = fmt::format("send {} {}", id, state);
    if (!why.empty()) text += ": " + why;
    if (view.boolean("possible_duplicate")) text += " (a possible duplicate)";
    return begin(now_ms, account) + text;
  }
  if (event.type == "remark") {
    return begin(view.integer("at", now_ms), account) + view.text("text");
  }
  return std::nullopt;
}

}  // namespace holdfast::app
