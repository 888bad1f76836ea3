/// Between signal-cli-rest-api's shapes, which Holdfast's callers use, and signal-cli's JSON-RPC.
/// Pure functions.
#pragma once

#include <core/records.hpp>
#include <cstddef>
#include <holdfast/result.hpp>
#include <net/http.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// signal-cli closes the connection, without an answer, when one JSON string is longer.
inline constexpr std::size_t rpc_string_chars_max = 20'000'000;

/// A JSON-RPC request without its id.
struct RpcCall {
  std::string method;
  std::string params;  ///< a JSON object
};

/// The call that carries out an outbox entry. `body` is what the entry was accepted with; of its
/// recipients only the entry's own one counts. `invalid_argument` says what to change in the body,
/// `too_large` names the limit.
[[nodiscard]] Result<RpcCall> translate_entry(const core::Entry& entry, std::string_view body);

/// `{"account":…}`
[[nodiscard]] std::string account_params(std::string_view account);

/// A request of the compatible face that has a counterpart in JSON-RPC.
struct ForwardPlan {
  enum class Shape {
    accounts,  ///< GET /v1/accounts
    groups,    ///< GET /v1/groups/{number}
    group,     ///< GET /v1/groups/{number}/{id}
    typing,    ///< PUT and DELETE /v1/typing-indicator/{number}
  };
  RpcCall call;
  Shape shape = Shape::accounts;
  bool expand = false;  ///< members as objects of number and ACI
  std::string group;    ///< `group`: the id that is asked for, "group.…"
  std::string account;
};

/// The plan for `request`, or the answer to give where there is none: 501 without counterpart, 404
/// for another account, 400 for a body that signal-cli could not take.
struct Forward {
  std::optional<ForwardPlan> plan;
  net::HttpResponse refusal;
};
[[nodiscard]] Forward plan_forward(const net::HttpRequest& request, std::string_view account);

/// signal-cli's answer in the shape that the caller expects. `result` and `error`: JSON values.
[[nodiscard]] net::HttpResponse forward_result(const ForwardPlan& plan, std::string_view result);
[[nodiscard]] net::HttpResponse forward_error(const ForwardPlan& plan, std::string_view error);

/// `{"error":…,"code":…}`
[[nodiscard]] net::HttpResponse json_error(int status, std::string_view code,
                                           std::string_view message);

}  // namespace holdfast::upstream
