/// Pings that carry a sequence number, and the pongs that bring it back (G7). Pure.
#pragma once

#include <charconv>
#include <core/records.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

/// "": nothing was asked for yet.
[[nodiscard]] inline std::string ping_payload(core::Seq seq) {
  return seq == 0 ? std::string{} : std::to_string(seq);
}

/// What a pong acknowledges; nothing for one that is no answer to `ping_payload()`.
[[nodiscard]] inline std::optional<core::Seq> acknowledged_by(std::string_view payload) {
  if (payload.empty() || payload.front() == '0') return std::nullopt;
  core::Seq seq = 0;
  const char* const end = payload.data() + payload.size();
  const auto [stopped_at, error] = std::from_chars(payload.data(), end, seq);
  if (error != std::errc{} || stopped_at != end) return std::nullopt;
  return seq;
}

}  // namespace holdfast::api
