#include <fmt/format.h>

#include <algorithm>
#include <app/values.hpp>
#include <array>
#include <charconv>
#include <cmath>
#include <holdfast/rate_limiter.hpp>
#include <optional>
#include <vector>

namespace holdfast::app {
namespace {

constexpr std::int64_t burst_max = 1'000'000;
constexpr std::size_t account_digits_min = 5;   // after the '+'
constexpr std::size_t account_digits_max = 15;  // E.164
constexpr double per_s_min = 1.0 / 86'400;      // one a day
constexpr double per_s_max = 1'000'000;

Error invalid(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A plain decimal number at the start of `text`, which loses it. No sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, end);
  double value = 0;
  const auto [stop, ec] = std::from_chars(number.data(), number.data() + number.size(), value,
                                          std::chars_format::fixed);
  if (ec != std::errc{} || stop != number.data() + number.size() || !is_digit(number.front())) {
    return std::nullopt;
  }
  text.remove_prefix(end);
  return value;
}

std::string in_words(core::Duration duration) {
  const auto ms = duration.count();
  if (ms % 60'000 == 0) return fmt::format("{} min", ms / 60'000);
  if (ms % 1'000 == 0) return fmt::format("{} s", ms / 1'000);
  return fmt::format("{} ms", ms);
}

bool is_aci(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

/// Levenshtein's distance.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

Result<core::Duration> parse_duration(std::string_view text, core::Duration most) {
  struct Unit {
    std::string_view name;
    double ms;
  };
  constexpr std::array units{Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"min", 60'000}};
  std::string_view rest = text;
  const auto number = rest.empty() ? std::nullopt : take_number(rest);
  if (number == 0.0 && rest.empty()) return core::Duration::zero();
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [&](const Unit& known) { return known.name == rest; });
  if (!number || unit == units.end()) {
    return invalid(fmt::format(
        "\"{}\" is no duration; write a number and ms, s or min, such as 500ms or 3s", text));
  }
  const double ms = std::round(*number * unit->ms);
  if (ms > static_cast<double>(most.count())) {
    return invalid(fmt::format("{} is too long; the most is {}", text, in_words(most)));
  }
  return core::Duration{static_cast<core::Duration::rep>(ms)};
}

Result<double> parse_rate(std::string_view text) {
  struct Unit {
    std::string_view name;
    double s;
  };
  constexpr std::array units{Unit{"/s", 1}, Unit{"/min", 60}, Unit{"/h", 3'600}};
  if (text == "unlimited") return unlimited_rate;
  std::string_view rest = text;
  const auto number = rest.empty() ? std::nullopt : take_number(rest);
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [&](const Unit& known) { return known.name == rest; });
  if (!number || unit == units.end()) {
    return invalid(fmt::format(
        "\"{}\" is no rate; write how many and per what, such as 60/min or 2/s, or unlimited",
        text));
  }
  const double per_s = *number / unit->s;
  if (per_s < per_s_min * (1 - 1e-9)) {
    return invalid(fmt::format("the rate {} is too low; the least is one a day", text));
  }
  if (per_s > per_s_max) {
    return invalid(
        fmt::format("the rate {} is too high; write unlimited to turn pacing off", text));
  }
  return per_s;
}

Result<std::uint32_t> check_burst(std::int64_t burst) {
  if (burst < 1 || burst > burst_max) {
    return invalid(fmt::format("a burst of {} is not from 1 to {}", burst, burst_max));
  }
  return static_cast<std::uint32_t>(burst);
}

Result<std::uint32_t> parse_burst(std::string_view text) {
  std::int64_t burst = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), burst);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    return invalid(fmt::format("\"{}\" is no whole number from 1 to {}", text, burst_max));
  }
  return check_burst(burst);
}

Result<std::string> parse_account(std::string_view text) {
  if (is_aci(text)) {
    std::string aci{text};
    for (char& c : aci) {
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    }
    return aci;
  }
  const auto refuse = [&](std::string_view why) {
    return invalid(fmt::format(
        "\"{}\" is no account: {}; write the whole number with its country code, such as "
        "+15550100001",
        text, why));
  };
  if (!text.starts_with('+')) return refuse("it does not start with '+'");
  const std::string_view digits = text.substr(1);
  if (!std::all_of(digits.begin(), digits.end(), is_digit)) {
    return refuse("after the '+' there may only be digits");
  }
  if (digits.size() < account_digits_min || digits.size() > account_digits_max) {
    return refuse(fmt::format("it has {} digits, and a number has {} to {}", digits.size(),
                              account_digits_min, account_digits_max));
  }
  if (digits.starts_with('0')) return refuse("no country code starts with 0");
  return std::string{text};
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string unknown_word(std::string_view word, std::span<const std::string_view> known) {
  if (const auto near = nearest(word, known); !near.empty()) {
    return fmt::format("\"{}\"; did you mean \"{}\"?", word, near);
  }
  std::string list;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (i > 0) list += i + 1 == known.size() ? " and " : ", ";
    list += known[i];
  }
  return fmt::format("\"{}\"; known are {}", word, list);
}

std::string redacted(std::string_view account) {
  constexpr std::size_t shown = 2;
  if (account.size() <= shown) return "…";
  return "…" + std::string{account.substr(account.size() - shown)};
}

}  // namespace holdfast::app
