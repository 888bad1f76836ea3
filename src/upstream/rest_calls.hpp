/// What is said to signal-cli-rest-api, and what its answers say about itself. Pure functions.
#pragma once

#include <chrono>
#include <core/failure.hpp>
#include <core/records.hpp>
#include <holdfast/result.hpp>
#include <net/http.hpp>
#include <net/url.hpp>
#include <net/websocket.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// The request that carries out an outbox entry: its body with the account as `number` and the
/// entry's one recipient; everything else in it as it came. `prefix`: the path of the bridge's URL.
[[nodiscard]] Result<net::HttpRequest> rest_request(const core::Entry& entry, std::string_view body,
                                                    std::string_view prefix);

[[nodiscard]] net::HttpRequest get_request(std::string target);

/// What `/v1/about` says; nothing where it is no such answer.
struct About {
  std::string mode;
  std::string version;
};
[[nodiscard]] std::optional<About> parse_about(std::string_view body);

/// Whether a bridge in this mode streams messages. In the other modes a GET of `/v1/receive` would
/// take the messages away from whoever else wants them.
[[nodiscard]] bool streams(std::string_view mode);

/// Why an answer other than 101 ends an attempt: the bridge's words, and what its `Retry-After`
/// asks for.
[[nodiscard]] core::Failure refused_handshake(const net::HandshakeFailure& failure,
                                              const net::Endpoint& endpoint,
                                              std::chrono::system_clock::time_point now);

/// Whether the answer to `/v1/about` already ends the attempt: the bridge, or a proxy before it,
/// wants credentials or says that it is not there. Nothing for any other answer.
[[nodiscard]] std::optional<core::Failure> refused_about(const net::HttpResponse& answer,
                                                         std::chrono::system_clock::time_point now);

/// What is odd about the answer to `/v1/accounts`, for people; "" where the account is in it.
[[nodiscard]] std::string accounts_note(int status, std::string_view body,
                                        std::string_view account);

/// The request or answer without the headers that belong to one connection only (RFC 9110, 7.6.1).
[[nodiscard]] net::Headers end_to_end(const net::Headers& headers);

}  // namespace holdfast::upstream
