/// Sentences for people, made of what bridges and sockets say. Never a number, an ACI or a text of
/// a person in them: they end in logs and on the status page.
#pragma once

#include <chrono>
#include <core/failure.hpp>
#include <cstddef>
#include <holdfast/result.hpp>
#include <net/url.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::upstream {

inline constexpr std::size_t words_bytes_max = 300;

/// One line of at most `bytes_max` bytes: control characters and runs of space become one space, a
/// cut is marked "…" and never inside a UTF-8 sequence.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t bytes_max = words_bytes_max);

/// `text` with telephone numbers ("+" and six digits or more) as "+…" and UUIDs as "…".
[[nodiscard]] std::string without_identities(std::string_view text);

/// A bridge's words for a sentence of evidence: the `error` of a JSON body, else the body.
[[nodiscard]] std::string bridge_words(std::string_view body);

/// What is behind a URL, for the beginning of a sentence: "127.0.0.1:8080" or a socket's path.
[[nodiscard]] std::string peer_name(const net::Endpoint& endpoint);

/// A failed connect or exchange as a link tells it. `asked`: what was waited for ("version"); empty
/// while connecting.
[[nodiscard]] core::Failure failure_of(const Error& error, const net::Endpoint& endpoint,
                                       std::string_view asked);

/// The value of a `Retry-After` header: seconds, or a date in one of the three spellings of RFC
/// 9110, seen from `now`. Nothing for anything else and for times that have passed; at most 30
/// days.
[[nodiscard]] std::optional<core::Duration> parse_retry_after(
    std::string_view value, std::chrono::system_clock::time_point now);

}  // namespace holdfast::upstream
