/// signal-cli's JSON-RPC: requests and batches, over lines and over HTTP.
#pragma once

#include <bridge_sim/daemon.hpp>
#include <memory>
#include <net/http.hpp>
#include <net/lines.hpp>
#include <optional>
#include <string>

namespace holdfast::bridge_sim {

/// Commands that only make sense on a connection: subscribeReceive and its counterpart.
class SubscriptionCommands {
 public:
  virtual ~SubscriptionCommands() = default;
  virtual CallAnswer subscribe(const json::object& params) = 0;
  virtual CallAnswer unsubscribe(const json::value& params) = 0;
};

struct RpcReply {
  std::optional<std::string> text;  ///< nothing: there is no answer (a notification, a hang)
  bool drop = false;                ///< the connection ends instead
};

/// Answers one JSON text. `subscriptions` is null over HTTP.
[[nodiscard]] net::Task<RpcReply> answer_rpc(std::shared_ptr<Daemon> daemon, std::string text,
                                             SubscriptionCommands* subscriptions);

/// Serves one connection of lines until it ends.
[[nodiscard]] net::Task<> serve_lines(std::shared_ptr<Daemon> daemon, net::LineStreamPtr lines);

/// Serves /api/v1/rpc, /api/v1/events and /api/v1/check.
[[nodiscard]] net::Task<std::optional<net::HttpResponse>> serve_rpc_over_http(
    std::shared_ptr<Daemon> daemon, net::Exchange& exchange, std::uint16_t port);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace holdfast::bridge_sim
