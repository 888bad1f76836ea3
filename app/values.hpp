/// Values as people write them on the command line and in the configuration file. Every error is
/// one sentence that says what to write instead.
#pragma once

#include <core/time.hpp>
#include <cstdint>
#include <holdfast/result.hpp>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::app {

/// "500ms", "3s", "1.5s" or "2min", at most `most`. A bare number is refused, except 0.
[[nodiscard]] Result<core::Duration> parse_duration(std::string_view text, core::Duration most);

/// "60/min", "2/s", "0.5/s", "100/h" or "unlimited"; tokens a second, `unlimited_rate` for the
/// last.
[[nodiscard]] Result<double> parse_rate(std::string_view text);

/// A burst of a token bucket: a whole number from 1 to 1,000,000.
[[nodiscard]] Result<std::uint32_t> parse_burst(std::string_view text);
[[nodiscard]] Result<std::uint32_t> check_burst(std::int64_t burst);

/// A telephone number as Signal writes it ("+15550100001") or an ACI (a UUID, returned in lower
/// case).
[[nodiscard]] Result<std::string> parse_account(std::string_view text);

/// The word of `known` that `word` was probably meant to be; "" if none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

/// `"word"; did you mean "nearest"?`, or without a near word `"word"; known are a, b and c`.
[[nodiscard]] std::string unknown_word(std::string_view word,
                                       std::span<const std::string_view> known);

/// An account or a recipient in a log line: its last two characters ("…01").
[[nodiscard]] std::string redacted(std::string_view account);

}  // namespace holdfast::app
