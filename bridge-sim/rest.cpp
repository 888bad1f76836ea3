#include <algorithm>
#include <boost/json/parse.hpp>
#include <bridge_sim/rest.hpp>
#include <bridge_sim/values.hpp>
#include <net/url.hpp>

namespace holdfast::bridge_sim {
namespace {

using Response = std::optional<net::HttpResponse>;
using Segments = std::vector<std::string>;

/// The decoded parts of "/v1/groups/%2B1555/group.x".
Segments split(const std::string& raw_path) {
  Segments segments;
  std::size_t begin = 1;
  while (begin <= raw_path.size()) {
    const auto end = std::min(raw_path.find('/', begin), raw_path.size());
    segments.push_back(net::percent_decode(std::string_view{raw_path}.substr(begin, end - begin)));
    begin = end + 1;
  }
  return segments;
}

net::HttpResponse empty(int status) {
  net::HttpResponse response;
  response.status = status;
  return response;
}

net::HttpResponse not_found() {
  net::HttpResponse response = empty(404);
  response.headers.emplace_back("Content-Type", "text/plain");
  response.body = "404 page not found";
  return response;
}

net::HttpResponse invalid_request() {
  net::HttpResponse response = empty(400);
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = R"({"error":"Couldn't process request - invalid request"})";
  return response;
}

json::value addresses(const json::value& members, bool expand) {
  json::array list;
  for (const json::value& member : members.get_array()) {
    const json::object& person = member.get_object();
    const std::string number = text_of(person, "number");
    const std::string uuid = text_of(person, "uuid");
    if (expand) {
      list.push_back(json::object{{"number", number}, {"uuid", uuid}});
    } else {
      list.emplace_back(number.empty() ? uuid : number);
    }
  }
  return list;
}

std::string lower(std::string text) {
  for (char& c : text) c = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

json::object rest_group(const json::object& group, bool expand) {
  const std::string id = text_of(group, "id");
  return {{"name", text_of(group, "name")},
          {"description", text_of(group, "description")},
          {"id", external_group_id(id)},
          {"internal_id", id},
          {"members", addresses(group.at("members"), expand)},
          {"blocked", group.at("isBlocked")},
          {"member", group.at("isMember")},
          {"pending_invites", json::array{}},
          {"pending_requests", json::array{}},
          {"invite_link", ""},
          {"admins", addresses(group.at("admins"), expand)},
          {"permissions",
           json::object{{"add_members", lower(text_of(group, "permissionAddMember"))},
                        {"edit_group", lower(text_of(group, "permissionEditDetails"))},
                        {"send_messages", lower(text_of(group, "permissionSendMessage"))}}}};
}

json::object rest_contact(const json::object& contact) {
  const json::object& profile = contact.at("profile").get_object();
  return {{"number", text_of(contact, "number")},
          {"uuid", text_of(contact, "uuid")},
          {"name", text_of(contact, "name")},
          {"profile_name", text_of(profile, "givenName")},
          {"username", ""},
          {"color", ""},
          {"blocked", false},
          {"message_expiration", "0"},
          {"note", ""},
          {"profile", json::object{{"given_name", text_of(profile, "givenName")},
                                   {"lastname", ""},
                                   {"about", ""},
                                   {"has_avatar", false},
                                   {"last_updated_timestamp", 0}}},
          {"given_name", ""},
          {"nickname", json::object{{"name", ""}, {"given_name", ""}, {"family_name", ""}}}};
}

/// One request to the REST face.
class RestRequest {
 public:
  RestRequest(std::shared_ptr<Daemon> daemon, std::shared_ptr<const RestSettings> settings,
              net::Exchange& exchange)
      : daemon_{std::move(daemon)},
        settings_{std::move(settings)},
        exchange_{exchange},
        request_{exchange.request()},
        parts_{split(request_.raw_path())} {}

  net::Task<Response> answer() {
    Response fixed = answer_without_daemon();
    if (fixed) co_return fixed;
    if (is("GET", "receive", 3)) {
      auto received = co_await serve_receive(daemon_, settings_, exchange_, parts_[2]);
      co_return received;
    }
    if (request_.method == "POST" && parts_.size() == 2 && parts_[1] == "send") {
      auto sent = co_await send();
      co_return sent;
    }
    if (!read_body()) co_return invalid_request();
    auto other = co_await answer_command();
    co_return other;
  }

 private:
  [[nodiscard]] bool is(std::string_view method, std::string_view name, std::size_t parts) const {
    return request_.method == method && parts_.size() == parts && parts_[1] == name;
  }

  [[nodiscard]] Response answer_without_daemon() const {
    const std::string path = request_.raw_path();
    if (path.size() > 1 && path.ends_with('/')) {
      net::HttpResponse moved = empty(request_.method == "GET" ? 301 : 307);
      moved.headers.emplace_back("Location", path.substr(0, path.size() - 1));
      return moved;
    }
    if (parts_.size() < 2 || (parts_[0] != "v1" && !(parts_[0] == "v2" && parts_[1] == "send"))) {
      return not_found();
    }
    if (is("GET", "health", 2)) return empty(204);
    if (is("GET", "about", 2)) {
      return rest_json(
          200, json::object{
                   {"versions", json::array{"v1", "v2"}},
                   {"build", 2},
                   {"mode", settings_->mode},
                   {"version", settings_->version},
                   {"capabilities", json::object{{"v2/send", json::array{"quotes", "mentions"}}}}});
    }
    if (is("GET", "configuration", 2)) {
      return rest_json(200, json::object{{"logging", json::object{{"Level", "info"}}}});
    }
    if (is("POST", "configuration", 2)) return empty(204);
    return attachments();
  }

  [[nodiscard]] Response attachments() const {
    if (is("GET", "attachments", 2)) return rest_json(200, json::array{});
    const bool one = parts_.size() == 3 && parts_[1] == "attachments";
    if (!one) return std::nullopt;
    if (parts_[2].find("..") != std::string::npos) return rest_failure("Invalid attachment name");
    if (!parts_[2].ends_with(".txt")) {
      return rest_failure("No attachment with that name found", 404);
    }
    if (request_.method == "DELETE") return empty(204);
    net::HttpResponse response;
    response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.body = "hello";
    return response;
  }

  bool read_body() {
    if (request_.body.empty()) return true;
    boost::json::error_code ec;
    json::value value = json::parse(request_.body, ec);
    if (ec || !value.is_object()) return false;
    body_ = std::move(value.get_object());
    return true;
  }

  /// Calls the daemon for the account in the path.
  net::Task<CallAnswer> call(std::string method, json::object params) {
    if (parts_.size() > 2) params["account"] = parts_[2];
    auto answer = co_await Daemon::call(daemon_, std::move(method), std::move(params));
    co_return answer;
  }

  /// Passes on an answer: the error, or `success` without a body.
  Response conclude(const CallAnswer& answer, int success) {
    if (answer.kind == CallAnswer::Kind::nothing || answer.kind == CallAnswer::Kind::drop) {
      exchange_.abort();  // the real bridge would never answer
      return std::nullopt;
    }
    Response error = rest_error(answer, parts_.size() > 2 ? parts_[2] : "");
    return error ? error : empty(success);
  }

  [[nodiscard]] static bool usable(const CallAnswer& answer) {
    return answer.kind == CallAnswer::Kind::result && !answer.status;
  }

  net::Task<Response> send() {
    const bool v1 = parts_[0] == "v1";
    RestSend send = read_send(request_.body, v1);
    if (send.malformed) co_return invalid_request();
    if (!send.error.empty()) co_return rest_failure(send.error);
    const std::string account = text_of(send.params, "account");
    auto answer = co_await Daemon::call(daemon_, "send", std::move(send.params));
    if (!usable(answer)) {
      Response error = rest_error(answer, account);
      // The old call never says 429.
      if (v1 && error && error->status == 429) error = rest_failure(answer.message);
      if (error) co_return error;
      co_return conclude(answer, 201);
    }
    const json::object& result = answer.result.get_object();
    json::object sent{{"timestamp", text_of(result, "timestamp")}};
    if (!settings_->array_answers || v1) co_return rest_json(201, sent);
    json::array failed;
    for (const json::value& item : result.at("results").get_array()) {
      const json::object& one = item.get_object();
      if (text_of(one, "type") == "SUCCESS") continue;
      json::object recipient = one.at("recipientAddress").get_object();
      recipient["reason"] = text_of(one, "type");
      failed.push_back(std::move(recipient));
    }
    if (!failed.empty()) sent["errors"] = json::object{{"recipients", std::move(failed)}};
    co_return rest_json(201, json::array{std::move(sent)});
  }

  /// The recipient of the body as a parameter; false after an answer was set.
  bool take_recipient(json::object& params, std::string& error) const {
    const std::string recipient = text_of(body_, "recipient");
    if (recipient.empty()) {
      error = "Couldn't process request - recipient missing";
      return false;
    }
    if (recipient.starts_with("group.")) {
      const auto id = internal_group_id(recipient);
      if (!id) error = "Invalid group id";
      if (id) params["group-id"] = *id;
      return id.has_value();
    }
    params["recipient"] = recipient;
    return true;
  }

  net::Task<Response> send_like(std::string method, json::object params, int success) {
    std::string error;
    if (!take_recipient(params, error)) co_return rest_failure(error);
    auto answer = co_await call(std::move(method), std::move(params));
    if (success == 201 && usable(answer)) {
      co_return rest_json(
          201, json::object{{"timestamp", text_of(answer.result.get_object(), "timestamp")}});
    }
    co_return conclude(answer, success);
  }

  net::Task<Response> reaction() {
    const bool remove = request_.method == "DELETE";
    for (const std::string_view key : {"recipient", "reaction", "target_author", "timestamp"}) {
      if (text_of(body_, key).empty() && !(remove && key == "reaction")) {
        co_return rest_failure("Couldn't process request - " + std::string{key} + " missing");
      }
    }
    json::object params{{"emoji", text_of(body_, "reaction")},
                        {"target-author", text_of(body_, "target_author")},
                        {"target-timestamp", body_.at("timestamp")},
                        {"remove", remove}};
    auto response = co_await send_like("sendReaction", std::move(params), 204);
    co_return response;
  }

  net::Task<Response> receipt() {
    const std::string type = text_of(body_, "receipt_type");
    if (type != "read" && type != "viewed") {
      co_return rest_failure("Couldn't process request - receipt type must be read or viewed");
    }
    json::object params{{"receipt-type", type},
                        {"target-timestamp", number_of(body_, "timestamp").value_or(0)}};
    auto response = co_await send_like("sendReceipt", std::move(params), 204);
    co_return response;
  }

  net::Task<Response> accounts() {
    auto answer = co_await Daemon::call(daemon_, "listAccounts", json::object{});
    if (!usable(answer)) {
      if (answer.kind != CallAnswer::Kind::error) co_return conclude(answer, 200);
      co_return rest_failure("Couldn't get list of accounts: " + answer.message, 500);
    }
    json::array numbers;
    for (const json::value& account : answer.result.get_array()) {
      numbers.push_back(account.get_object().at("number"));
    }
    co_return rest_json(200, numbers);
  }

  net::Task<Response> groups() {
    const bool one = parts_.size() == 4;
    auto answer = co_await call("listGroups", json::object{});
    if (!usable(answer)) co_return conclude(answer, 200);
    const bool expand = request_.query("expand") == "true";
    json::array list;
    for (const json::value& group : answer.result.get_array()) {
      json::object converted = rest_group(group.get_object(), expand);
      if (one && text_of(converted, "id") == parts_[3]) co_return rest_json(200, converted);
      list.push_back(std::move(converted));
    }
    if (one) co_return rest_failure("No group with that id found", 404);
    co_return rest_json(200, list);
  }

  net::Task<Response> contacts() {
    auto answer = co_await call("listContacts", json::object{});
    if (!usable(answer)) co_return conclude(answer, 200);
    json::array list;
    for (const json::value& contact : answer.result.get_array()) {
      list.push_back(rest_contact(contact.get_object()));
    }
    co_return rest_json(200, list);
  }

  net::Task<Response> search() {
    json::array found;
    const std::string numbers = request_.query("numbers");
    if (!numbers.empty()) found.push_back(json::object{{"number", numbers}, {"registered", true}});
    co_return rest_json(200, found);
  }

  net::Task<Response> challenge() {
    if (text_of(body_, "challenge_token").empty() || text_of(body_, "captcha").empty()) {
      co_return rest_failure(
          "Couldn't process request - please provide a challenge token and a captcha");
    }
    json::object params{{"challenge", text_of(body_, "challenge_token")},
                        {"captcha", text_of(body_, "captcha")}};
    auto answer = co_await call("submitRateLimitChallenge", std::move(params));
    co_return conclude(answer, 204);
  }

  net::Task<Response> typing() {
    json::object params;
    if (request_.method == "DELETE") params["stop"] = true;
    auto response = co_await send_like("sendTyping", std::move(params), 204);
    co_return response;
  }

  net::Task<Response> remote_delete() {
    json::object params{{"target-timestamp", number_of(body_, "timestamp").value_or(0)}};
    auto response = co_await send_like("remoteDelete", std::move(params), 201);
    co_return response;
  }

  net::Task<Response> answer_command() {
    const std::string& name = parts_[1];
    const std::string& method = request_.method;
    const bool post_or_delete = method == "POST" || method == "DELETE";
    std::optional<net::Task<Response>> task;
    if (is("GET", "accounts", 2)) {
      task = accounts();
    } else if (is("GET", "groups", 3) || is("GET", "groups", 4)) {
      task = groups();
    } else if (is("GET", "contacts", 3)) {
      task = contacts();
    } else if (name == "search" && method == "GET") {
      task = search();
    } else if (name == "typing-indicator" && (method == "PUT" || method == "DELETE")) {
      task = typing();
    } else if (name == "reactions" && post_or_delete) {
      task = reaction();
    } else if (is("POST", "receipts", 3)) {
      task = receipt();
    } else if (is("DELETE", "remote-delete", 3)) {
      task = remote_delete();
    } else if (is("POST", "accounts", 4) && parts_[3] == "rate-limit-challenge") {
      task = challenge();
    }
    if (!task) co_return answer_minor();
    auto response = co_await std::move(*task);
    co_return response;
  }

  /// Calls that change nothing here.
  [[nodiscard]] Response answer_minor() const {
    if (is("GET", "identities", 3) || is("GET", "devices", 3) || is("GET", "sticker-packs", 3)) {
      return rest_json(200, json::array{});
    }
    const bool put = request_.method == "PUT";
    if (put && (parts_[1] == "profiles" || parts_[1] == "contacts" || parts_[1] == "identities")) {
      return empty(204);
    }
    return not_found();
  }

  std::shared_ptr<Daemon> daemon_;
  std::shared_ptr<const RestSettings> settings_;
  net::Exchange& exchange_;
  const net::HttpRequest& request_;
  Segments parts_;
  json::object body_;
};

}  // namespace

net::HttpResponse rest_json(int status, const json::value& body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  response.body = json::serialize(body);
  return response;
}

net::HttpResponse rest_failure(std::string_view text, int status) {
  return rest_json(status, json::object{{"error", text}});
}

std::optional<net::HttpResponse> rest_error(const CallAnswer& answer, const std::string& account) {
  if (answer.status) {
    net::HttpResponse response = rest_failure(answer.message, *answer.status);
    if (!answer.body.empty()) response.body = answer.body;
    return response;
  }
  if (answer.kind != CallAnswer::Kind::error) return std::nullopt;
  if (answer.code != -5) return rest_failure(answer.message);
  // A result without a token becomes an empty one.
  json::array tokens;
  if (answer.data.is_object()) {
    const json::object& response = answer.data.get_object().at("response").get_object();
    for (const json::value& result : response.at("results").get_array()) {
      tokens.emplace_back(text_of(result.get_object(), "token"));
    }
  }
  return rest_json(
      429, json::object{{"error",
                         "Failed to send message due to rate limiting. Use the attached challenge "
                         "tokens to lift the rate limit restrictions via the "
                         "'/v1/accounts/{number}/rate-limit-challenge' endpoint."},
                        {"challenge_tokens", std::move(tokens)},
                        {"account", account}});
}

net::Task<std::optional<net::HttpResponse>> serve_rest(std::shared_ptr<Daemon> daemon,
                                                       std::shared_ptr<const RestSettings> settings,
                                                       net::Exchange& exchange) {
  RestRequest request{std::move(daemon), std::move(settings), exchange};
  auto response = co_await request.answer();
  co_return response;
}

}  // namespace holdfast::bridge_sim
