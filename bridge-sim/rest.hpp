/// signal-cli-rest-api: HTTP and WebSocket in front of the daemon.
#pragma once

#include <bridge_sim/daemon.hpp>
#include <memory>
#include <net/http.hpp>
#include <string>

namespace holdfast::bridge_sim {

/// How the REST face presents itself.
struct RestSettings {
  std::string mode = "json-rpc";  ///< or "normal", "native"
  std::string version = "0.100";
  bool array_answers = false;  ///< /v2/send answers an array, as the unreleased versions do
};

[[nodiscard]] net::Task<std::optional<net::HttpResponse>> serve_rest(
    std::shared_ptr<Daemon> daemon, std::shared_ptr<const RestSettings> settings,
    net::Exchange& exchange);

/// The daemon's answer as the REST face passes it on; 0 as `success` means "with the result".
[[nodiscard]] std::optional<net::HttpResponse> rest_error(const CallAnswer& answer,
                                                          const std::string& account);
[[nodiscard]] net::HttpResponse rest_json(int status, const json::value& body);
[[nodiscard]] net::HttpResponse rest_failure(std::string_view text, int status = 400);

/// POST /v1/send and /v2/send, from the request's body to JSON-RPC parameters; the error's text if
/// it is not valid.
struct RestSend {
  json::object params;
  std::string error;
  bool malformed = false;  ///< no JSON at all: another Content-Type
};
[[nodiscard]] RestSend read_send(const std::string& body, bool v1);

/// "group.…" to the internal id; nothing if it is none.
[[nodiscard]] std::optional<std::string> internal_group_id(std::string_view id);
[[nodiscard]] std::string external_group_id(std::string_view internal);

/// GET /v1/receive/{number}.
[[nodiscard]] net::Task<std::optional<net::HttpResponse>> serve_receive(
    std::shared_ptr<Daemon> daemon, std::shared_ptr<const RestSettings> settings,
    net::Exchange& exchange, std::string number);

}  // namespace holdfast::bridge_sim
