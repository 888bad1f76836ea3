// The requests of the compatible face that have a counterpart in JSON-RPC (translate.hpp).
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <net/url.hpp>
#include <upstream/recipient.hpp>
#include <upstream/translate.hpp>
#include <upstream/words.hpp>
#include <utility>
#include <vector>

namespace holdfast::upstream {

namespace {

namespace json = boost::json;

net::HttpResponse json_response(int status, const json::value& body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = json::serialize(body);
  return response;
}

std::vector<std::string> segments_of(const std::string& raw_path) {
  std::vector<std::string> segments;
  std::size_t at = 0;
  while (at < raw_path.size()) {
    const std::size_t begin = raw_path.find_first_not_of('/', at);
    if (begin == std::string::npos) break;
    const std::size_t end = std::min(raw_path.find('/', begin), raw_path.size());
    segments.push_back(net::percent_decode(std::string_view{raw_path}.substr(begin, end - begin)));
    at = end;
  }
  return segments;
}

Result<RpcCall> typing_call(const net::HttpRequest& request, std::string_view account) {
  json::error_code ec;
  const json::value body = json::parse(request.body, ec);
  const json::object* object = ec ? nullptr : body.if_object();
  const json::value* given = object ? object->if_contains("recipient") : nullptr;
  if (given == nullptr || !given->is_string()) {
    return Error{Errc::invalid_argument, "Couldn't process request - invalid request"};
  }
  const auto recipient = parse_recipient(std::string_view{given->get_string()});
  if (!recipient) return recipient.error();
  json::object params;
  params["account"] = account;
  params[recipient->kind == Recipient::Kind::group ? "groupId" : "recipient"] = recipient->value;
  if (request.method == "DELETE") params["stop"] = true;
  return RpcCall{"sendTyping", json::serialize(params)};
}

// --- Groups -------------------------------------------------------------------------------------

json::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? value->get_string() : json::string{};
}

bool flag_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

/// People as `{"number","uuid"}`, or as the number, else the ACI.
json::array people_of(const json::object& group, std::string_view name, bool expand) {
  json::array people;
  const json::value* value = group.if_contains(name);
  const json::array* list = value ? value->if_array() : nullptr;
  if (list == nullptr) return people;
  for (const json::value& entry : *list) {
    const json::object* person = entry.if_object();
    if (person == nullptr) continue;
    json::string number = text_of(*person, "number");
    json::string uuid = text_of(*person, "uuid");
    if (expand) {
      json::object both;
      both["number"] = std::move(number);
      both["uuid"] = std::move(uuid);
      people.emplace_back(std::move(both));
    } else {
      people.emplace_back(number.empty() ? std::move(uuid) : std::move(number));
    }
  }
  return people;
}

std::string_view permission_of(const json::object& group, std::string_view name) {
  const json::string permission = text_of(group, name);
  if (permission == "EVERY_MEMBER") return "every-member";
  if (permission == "ONLY_ADMINS") return "only-admins";
  return "";
}

json::object group_of(const json::object& group, bool expand) {
  const json::string internal = text_of(group, "id");
  json::object permissions;
  permissions["add_members"] = permission_of(group, "permissionAddMember");
  permissions["edit_group"] = permission_of(group, "permissionEditDetails");
  permissions["send_messages"] = permission_of(group, "permissionSendMessage");

  json::object shaped;
  shaped["name"] = text_of(group, "name");
  shaped["description"] = text_of(group, "description");
  shaped["id"] = external_group_id(internal);
  shaped["internal_id"] = internal;
  shaped["members"] = people_of(group, "members", expand);
  shaped["blocked"] = flag_of(group, "isBlocked");
  shaped["member"] = flag_of(group, "isMember");
  shaped["pending_invites"] = people_of(group, "pendingMembers", expand);
  shaped["pending_requests"] = people_of(group, "requestingMembers", expand);
  shaped["invite_link"] = text_of(group, "groupInviteLink");
  shaped["admins"] = people_of(group, "admins", expand);
  shaped["permissions"] = std::move(permissions);
  return shaped;
}

net::HttpResponse groups_response(const ForwardPlan& plan, const json::array& groups) {
  json::array shaped;
  for (const json::value& entry : groups) {
    const json::object* group = entry.if_object();
    if (group == nullptr) continue;
    json::object one = group_of(*group, plan.expand);
    if (plan.shape == ForwardPlan::Shape::groups) {
      shaped.emplace_back(std::move(one));
    } else if (one["id"].get_string() == plan.group) {
      return json_response(200, one);
    }
  }
  if (plan.shape == ForwardPlan::Shape::groups) return json_response(200, shaped);
  return json_error(404, "not_found", "No group with that id found");
}

net::HttpResponse accounts_response(const json::array& accounts) {
  json::array numbers;
  for (const json::value& entry : accounts) {
    if (const json::object* account = entry.if_object()) {
      numbers.emplace_back(text_of(*account, "number"));
    }
  }
  return json_response(200, numbers);
}

}  // namespace

std::string account_params(std::string_view account) {
  json::object params;
  params["account"] = account;
  return json::serialize(params);
}

net::HttpResponse json_error(int status, std::string_view code, std::string_view message) {
  json::object body;
  body["error"] = message;
  body["code"] = code;
  return json_response(status, body);
}

Forward plan_forward(const net::HttpRequest& request, std::string_view account) {
  const std::vector<std::string> path = segments_of(request.raw_path());
  const bool versioned = path.size() >= 2 && path[0] == "v1";
  const std::string_view what = versioned ? std::string_view{path[1]} : std::string_view{};
  const bool get = request.method == "GET";

  ForwardPlan plan;
  plan.account = account;
  plan.expand = request.query("expand") == "true";
  if (what == "accounts" && path.size() == 2 && get) {
    plan.call = RpcCall{"listAccounts", "{}"};
    plan.shape = ForwardPlan::Shape::accounts;
    return Forward{std::move(plan), {}};
  }

  const bool typing = what == "typing-indicator" && path.size() == 3 &&
                      (request.method == "PUT" || request.method == "DELETE");
  const bool groups = what == "groups" && (path.size() == 3 || path.size() == 4) && get;
  if (!typing && !groups) {
    return Forward{std::nullopt,
                   json_error(501, "unsupported",
                              "this call has no counterpart in signal-cli's JSON-RPC; it needs "
                              "signal-cli-rest-api as the bridge")};
  }
  if (path[2] != account) {
    return Forward{std::nullopt, json_error(404, "not_found", "no such account")};
  }
  if (groups) {
    plan.call = RpcCall{"listGroups", account_params(account)};
    plan.shape = path.size() == 3 ? ForwardPlan::Shape::groups : ForwardPlan::Shape::group;
    if (path.size() == 4) plan.group = path[3];
    return Forward{std::move(plan), {}};
  }
  auto call = typing_call(request, account);
  if (!call) {
    return Forward{std::nullopt, json_error(400, "invalid_argument", call.error().message)};
  }
  plan.call = std::move(*call);
  plan.shape = ForwardPlan::Shape::typing;
  return Forward{std::move(plan), {}};
}

net::HttpResponse forward_result(const ForwardPlan& plan, std::string_view result) {
  if (plan.shape == ForwardPlan::Shape::typing) {
    net::HttpResponse done;
    done.status = 204;
    return done;
  }
  json::error_code ec;
  const json::value parsed = json::parse(result, ec);
  const json::array* list = ec ? nullptr : parsed.if_array();
  if (list == nullptr) {
    return json_error(502, "protocol",
                      "signal-cli's answer to " + plan.call.method + " could not be read");
  }
  return plan.shape == ForwardPlan::Shape::accounts ? accounts_response(*list)
                                                    : groups_response(plan, *list);
}

net::HttpResponse forward_error(const ForwardPlan& plan, std::string_view error) {
  json::error_code ec;
  const json::value parsed = json::parse(error, ec);
  const json::object* object = ec ? nullptr : parsed.if_object();
  const json::value* code = object ? object->if_contains("code") : nullptr;
  // A daemon that was started for one account does not list accounts: it has this one.
  if (plan.shape == ForwardPlan::Shape::accounts && code && code->is_int64() &&
      code->get_int64() == -32601) {
    return json_response(200, json::array{json::string{plan.account}});
  }
  const json::string message = object ? text_of(*object, "message") : json::string{};
  return json_error(400, "bridge", one_line(message));
}

}  // namespace holdfast::upstream
