/// Calls of the compatible face that send, read and validated as signal-cli-rest-api does. Pure.
#pragma once

#include <core/records.hpp>
#include <holdfast/result.hpp>
#include <net/http.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

inline constexpr std::size_t recipients_max = 1'000;
inline constexpr std::size_t recipient_bytes_max = 512;
inline constexpr std::size_t idempotency_key_bytes_max = 256;

/// A call that sends, ready for the outbox.
struct SendCall {
  std::string account;  ///< empty where the path says it
  std::vector<std::string> recipients;
  core::Operation operation = core::Operation::send;
  std::string body;  ///< JSON in the shape of `POST /v2/send`, or of the operation's own call
};

// Errors are `invalid_argument` in the bridge's own words where it has some.
[[nodiscard]] Result<SendCall> read_send_v2(std::string body);
/// The body becomes that of a /v2/send.
[[nodiscard]] Result<SendCall> read_send_v1(std::string_view body);
/// `operation`: reaction, remove_reaction, receipt or remote_delete.
[[nodiscard]] Result<SendCall> read_operation(core::Operation operation, std::string body);

/// The `Idempotency-Key` of a request, if it has one: 1 to 256 bytes. The hash covers what makes
/// the call: method, path without token, and body.
[[nodiscard]] Result<std::optional<core::IdempotencyKey>> read_idempotency_key(
    const net::HttpRequest& request);

/// How the bridge's answers call this kind of recipient: "number", "uuid" or "username".
[[nodiscard]] std::string_view recipient_key(std::string_view recipient);

/// `Prefer: respond-async` (RFC 7240).
[[nodiscard]] bool prefers_async(const net::HttpRequest& request);

}  // namespace holdfast::api
