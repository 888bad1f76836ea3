#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <upstream/json_span.hpp>
#include <upstream/rest_calls.hpp>
#include <upstream/words.hpp>

namespace holdfast::upstream {

namespace {

namespace json = boost::json;
using core::Operation;

std::string quoted(std::string_view text) { return json::serialize(json::string{text}); }

/// Writes an object from members as they came and members of our own.
class ObjectText {
 public:
  void add(std::string_view raw_key, std::string_view raw_value) {
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_.append(raw_key).append("\":").append(raw_value);
  }
  [[nodiscard]] std::string take() { return std::move(text_ += '}'); }
  void reserve(std::size_t bytes) { text_.reserve(bytes); }

 private:
  std::string text_ = "{";
};

/// `/v2/send` for one recipient. `/v1/send`'s one attachment becomes a list.
Result<std::string> send_body(const core::Entry& entry, std::string_view body) {
  ObjectText rewritten;
  rewritten.reserve(body.size() + 128);
  rewritten.add("number", quoted(entry.account));
  rewritten.add("recipients", "[" + quoted(entry.recipient) + "]");
  JsonMembers members{body};
  while (const auto member = members.next()) {
    if (member->is("number") || member->is("recipients") || member->is("recipient") ||
        member->is("is_group")) {
      continue;
    }
    if (member->is("base64_attachment")) {
      if (member->value == "\"\"" || member->value == "null") continue;
      rewritten.add("base64_attachments", "[" + std::string{member->value} + "]");
      continue;
    }
    rewritten.add(member->key, member->value);
  }
  if (!members.complete()) {
    return Error{Errc::invalid_argument, "Couldn't process request - invalid request"};
  }
  return rewritten.take();
}

/// Everything else names one recipient.
Result<std::string> recipient_body(const core::Entry& entry, std::string_view body) {
  ObjectText rewritten;
  rewritten.reserve(body.size() + 128);
  rewritten.add("recipient", quoted(entry.recipient));
  JsonMembers members{body};
  while (const auto member = members.next()) {
    if (!member->is("recipient")) rewritten.add(member->key, member->value);
  }
  if (!members.complete()) {
    return Error{Errc::invalid_argument, "Couldn't process request - invalid request"};
  }
  return rewritten.take();
}

struct Call {
  std::string_view method;
  std::string_view path;
};

Call call_of(Operation operation) {
  switch (operation) {
    case Operation::send:
      return {"POST", "/v2/send"};
    case Operation::reaction:
      return {"POST", "/v1/reactions/"};
    case Operation::remove_reaction:
      return {"DELETE", "/v1/reactions/"};
    case Operation::receipt:
      return {"POST", "/v1/receipts/"};
    case Operation::remote_delete:
      return {"DELETE", "/v1/remote-delete/"};
  }
  return {"POST", "/v2/send"};
}

core::Failure failure(core::Reason reason, std::string evidence) {
  core::Failure failed;
  failed.reason = reason;
  failed.evidence = std::move(evidence);
  return failed;
}

core::Reason reason_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return core::Reason::unauthorised;
    case 429:
    case 503:
      return core::Reason::busy;
    case 502:
    case 504:
      return core::Reason::unreachable;
    default:
      return core::Reason::protocol;
  }
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

/// Whether `name` is one of the comma-separated names of `list`.
bool lists(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, end);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (same_name(item, name)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

Result<net::HttpRequest> rest_request(const core::Entry& entry, std::string_view body,
                                      std::string_view prefix) {
  auto rewritten =
      entry.operation == Operation::send ? send_body(entry, body) : recipient_body(entry, body);
  if (!rewritten) return rewritten.error();
  const Call call = call_of(entry.operation);
  net::HttpRequest request;
  request.method = call.method;
  request.target = std::string{prefix} + std::string{call.path};
  if (entry.operation != Operation::send) request.target += net::percent_encode(entry.account);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(*rewritten);
  return request;
}

net::HttpRequest get_request(std::string target) {
  net::HttpRequest request;
  request.target = std::move(target);
  return request;
}

std::optional<About> parse_about(std::string_view body) {
  json::error_code ec;
  const json::value parsed = json::parse(body, ec);
  const json::object* object = ec ? nullptr : parsed.if_object();
  if (object == nullptr || !object->contains("mode")) return std::nullopt;
  About about;
  if (const json::string* mode = object->at("mode").if_string())
    about.mode = std::string_view{*mode};
  const json::value* version = object->if_contains("version");
  if (version && version->is_string()) {
    about.version = one_line(std::string_view{version->get_string()}, 40);
  }
  return about;
}

bool streams(std::string_view mode) { return mode != "normal" && mode != "native"; }

core::Failure refused_handshake(const net::HandshakeFailure& refused, const net::Endpoint& endpoint,
                                std::chrono::system_clock::time_point now) {
  if (refused.status == 0) return failure_of(refused.error, endpoint, "the WebSocket handshake");
  std::string evidence =
      "the bridge answered " + std::to_string(refused.status) + " instead of opening its stream";
  const std::string words = bridge_words(refused.body);
  if (!words.empty()) evidence += ": " + words;
  core::Failure told = failure(reason_of_status(refused.status), std::move(evidence));
  told.retry_after = parse_retry_after(refused.retry_after, now);
  return told;
}

std::optional<core::Failure> refused_about(const net::HttpResponse& answer,
                                           std::chrono::system_clock::time_point now) {
  const core::Reason reason = reason_of_status(answer.status);
  if (answer.status < 400 || reason == core::Reason::protocol) return std::nullopt;
  std::string evidence = "the bridge answered " + std::to_string(answer.status);
  const std::string words = bridge_words(answer.body);
  if (!words.empty()) evidence += ": " + words;
  core::Failure told = failure(reason, std::move(evidence));
  told.retry_after = parse_retry_after(net::header(answer.headers, "Retry-After"), now);
  return told;
}

std::string accounts_note(int status, std::string_view body, std::string_view account) {
  json::error_code ec;
  const json::value parsed = json::parse(body, ec);
  const json::array* list = ec ? nullptr : parsed.if_array();
  if (status < 200 || status >= 300 || list == nullptr) {
    const std::string words = bridge_words(body);
    return "the bridge could not list its accounts (" + std::to_string(status) +
           (words.empty() ? ")" : "): " + words);
  }
  const bool listed = std::any_of(list->begin(), list->end(), [&](const json::value& entry) {
    return entry.is_string() && std::string_view{entry.get_string()} == account;
  });
  if (listed) return {};
  return "the bridge has no such account; nothing will come until it is registered or linked there";
}

net::Headers end_to_end(const net::Headers& headers) {
  constexpr std::array<std::string_view, 11> per_connection{
      "Connection", "Keep-Alive",       "Proxy-Authenticate", "Proxy-Authorization",
      "TE",         "Trailer",          "Transfer-Encoding",  "Upgrade",
      "Host",       "Proxy-Connection", "Content-Length"};
  const std::string_view named = net::header(headers, "Connection");
  net::Headers kept;
  for (const auto& [name, value] : headers) {
    const bool dropped = std::any_of(per_connection.begin(), per_connection.end(),
                                     [&](std::string_view one) { return same_name(one, name); });
    if (!dropped && !lists(named, name)) kept.emplace_back(name, value);
  }
  return kept;
}

}  // namespace holdfast::upstream
