#include <bridge_sim/faults.hpp>
#include <bridge_sim/values.hpp>

namespace holdfast::bridge_sim {
namespace {

constexpr std::string_view rate_limited = "Failed to send message due to rate limiting";
constexpr std::string_view rate_limit_hidden =
    "Failed to send message: [429] Rate limit exceeded: 429 (RateLimitException) "
    "(UnexpectedErrorException)";
constexpr std::string_view no_internet =
    "Failed to send message: chat.signal.org: Temporary failure in name resolution "
    "(UnknownHostException) (UnexpectedErrorException)";
constexpr std::string_view default_token = "a36f8c39-5c1b-4f7d-b5c0-572fbe928efa";

void plan_rate_limit(SendPlan& plan, const json::object& fault) {
  const std::string variant = text_of(fault, "variant", "token");
  if (variant == "hidden") {
    plan.code = -32603;
    plan.message = rate_limit_hidden;
    return;
  }
  plan.code = -5;
  plan.message = rate_limited;
  plan.result = "RATE_LIMIT_FAILURE";
  plan.retry_after_s = number_of(fault, "retry_after_s");
  if (variant == "token") {
    plan.token = text_of(fault, "token", default_token);
    if (!plan.retry_after_s) plan.retry_after_s = -1;
  }
}

/// The error that a kind stands for; false if it stands for none.
bool plan_error(SendPlan& plan, const std::string& kind, const json::object& fault) {
  if (kind == "rate_limit") {
    plan_rate_limit(plan, fault);
  } else if (kind == "untrusted") {
    plan.code = -4;
    plan.message = "Failed to send message due to untrusted identities";
    plan.result = "IDENTITY_FAILURE";
  } else if (kind == "unregistered") {
    plan.message = "Failed to send message";
    plan.result = "UNREGISTERED_FAILURE";
  } else if (kind == "network_failure") {
    plan.message = "Failed to send message";
    plan.result = "NETWORK_FAILURE";
  } else if (kind == "no_internet") {
    plan.code = -32603;
    plan.message = no_internet;
  } else if (kind == "partial") {
    plan.code = 0;
    plan.result = text_of(fault, "result", "UNREGISTERED_FAILURE");
    plan.deliver = true;
  } else if (kind == "send_error" || kind == "deliver_then_error") {
    plan.code = static_cast<int>(number_of(fault, "code").value_or(-1));
    plan.message = text_of(fault, "message", "Failed to send message");
    plan.result = text_of(fault, "result");
    plan.token = text_of(fault, "token");
    plan.retry_after_s = number_of(fault, "retry_after_s");
    plan.deliver = kind == "deliver_then_error";
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<SendPlan> parse_plan(const std::string& kind, const json::object& fault) {
  SendPlan plan;
  plan.count = number_of(fault, "count").value_or(1);
  plan.account = text_of(fault, "account");
  plan.recipient = text_of(fault, "recipient");
  plan.operation = text_of(fault, "operation", "send");
  plan.body = text_of(fault, "body");
  if (const auto status = number_of(fault, "status")) plan.status = static_cast<int>(*status);

  if (kind == "drop_send" || kind == "deliver_then_drop") {
    plan.then = SendPlan::Then::drop;
    plan.deliver = kind == "deliver_then_drop";
  } else if (kind == "hang_sends" || kind == "deliver_then_hang") {
    plan.then = SendPlan::Then::hang;
    plan.deliver = kind == "deliver_then_hang";
    plan.count = number_of(fault, "count").value_or(-1);
  } else if (!plan_error(plan, kind, fault)) {
    return std::nullopt;
  }
  if (flag_of(fault, "deliver")) plan.deliver = true;
  return plan;
}

}  // namespace holdfast::bridge_sim
