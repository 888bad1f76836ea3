#include <algorithm>
#include <api/encoding.hpp>
#include <api/json_fields.hpp>
#include <api/send_request.hpp>
#include <api/text.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

namespace holdfast::api {
namespace {

enum class RecipientKind { group, number, username };

Error invalid(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }
Error refused(std::string_view what) {
  return invalid("Couldn't process request - " + std::string{what});
}

bool is_number(std::string_view text) {
  return text.starts_with('+') &&
         text.find_first_not_of("0123456789 ", 1) == std::string_view::npos;
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  constexpr std::string_view hex = "0123456789abcdefABCDEF";
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == '-' ? text[i] != '-' : hex.find(text[i]) == std::string_view::npos)
      return false;
  return true;
}

/// "group." and twice base64 of 32 bytes is a group; a user name may begin like that too, and is
/// then at most 10 characters longer.
Result<RecipientKind> kind_of(const std::string& recipient) {
  constexpr std::string_view group = "group.";
  constexpr std::size_t group_bytes = 32;
  if (!recipient.starts_with(group))
    return is_number(recipient) || is_uuid(recipient) ? RecipientKind::number
                                                      : RecipientKind::username;
  const std::string_view rest = std::string_view{recipient}.substr(group.size());
  const auto internal = decode_base64(rest);
  if (!internal && rest.size() <= 10) return RecipientKind::username;
  const auto bytes = internal ? decode_base64(*internal) : std::nullopt;
  if (!bytes) return invalid("Invalid identifier " + recipient);
  if (bytes->size() != group_bytes)
    return invalid("Invalid Signal group size (" + std::to_string(bytes->size()));
  return RecipientKind::group;
}

Result<void> check_classes(const std::vector<std::string>& recipients) {
  std::size_t groups = 0, numbers = 0, usernames = 0;
  for (const std::string& recipient : recipients) {
    const auto kind = kind_of(recipient);
    if (!kind) return kind.error();
    ++(*kind == RecipientKind::group    ? groups
       : *kind == RecipientKind::number ? numbers
                                        : usernames);
  }
  const auto together = [](std::string_view what) {
    return invalid("Signal Messenger " + std::string{what} +
                   " cannot be specified together in one request! Please split them up into "
                   "multiple REST API calls.");
  };
  if (numbers > 0 && groups > 0) return together("Groups and phone numbers");
  if (usernames > 0 && groups > 0) return together("Groups and usernames");
  if (numbers > 0 && usernames > 0) return together("phone numbers and usernames");
  if (groups > 1)
    return invalid(
        "A signal message cannot be sent to more than one group at once! Please use "
        "multiple REST API calls for that.");
  return {};
}

/// One spelling a person, each once: signal-cli sends to a set, too.
Result<std::vector<std::string>> unique_recipients(std::vector<std::string> given) {
  std::vector<std::string> recipients;
  std::set<std::string> seen;
  for (std::string& recipient : given) {
    if (recipient.empty()) return refused("a recipient is empty");
    if (recipient.size() > recipient_bytes_max) return refused("a recipient is too long");
    if (is_number(recipient)) std::erase(recipient, ' ');
    if (seen.insert(recipient).second) recipients.push_back(std::move(recipient));
  }
  if (recipients.size() > recipients_max)
    return refused("more than " + std::to_string(recipients_max) + " recipients");
  return recipients;
}

Result<void> check_link_preview(const JsonFields& fields) {
  if (!fields.has("link_preview")) return {};
  const std::string& url = fields.text("link_preview.url");
  if (url.empty()) return invalid("Please provide a valid Link Preview URL");
  if (!url.starts_with("https")) return invalid("Link Preview URL must start with https://..");
  if (fields.text("link_preview.title").empty())
    return invalid("Please provide a valid Link Preview Title");
  if (!fields.is_cut("message") && fields.text("message").find(url) == std::string::npos)
    return invalid("Link Preview URL is missing in the message!");
  return {};
}

}  // namespace

Result<SendCall> read_send_v2(std::string body) {
  using enum FieldKind;
  const auto fields = JsonFields::read(body, {{"number", text},
                                              {"recipients", texts},
                                              {"recipient", text},
                                              {"message", text},
                                              {"base64_attachments", blobs},
                                              {"sticker", text},
                                              {"mentions", objects},
                                              {"quote_timestamp", integer},
                                              {"quote_author", text},
                                              {"quote_message", text},
                                              {"quote_mentions", objects},
                                              {"text_mode", text},
                                              {"edit_timestamp", integer},
                                              {"notify_self", flag},
                                              {"link_preview", object},
                                              {"link_preview.url", text},
                                              {"link_preview.title", text},
                                              {"view_once", flag}});
  if (!fields) return refused("invalid request");

  std::vector<std::string> given = fields->texts("recipients");
  if (!fields->text("recipient").empty()) given.push_back(fields->text("recipient"));
  if (given.empty()) return refused("please provide at least one recipient");
  if (fields->text("number").empty()) return refused("please provide a valid number");
  const std::string& sticker = fields->text("sticker");
  if (!sticker.empty() && sticker.find(':') == std::string::npos)
    return refused("please provide valid sticker delimiter");
  if (fields->flag("view_once") && fields->count("base64_attachments") == 0)
    return invalid("'view_once' can only be set for image attachments!");
  auto recipients = unique_recipients(std::move(given));
  if (!recipients) return recipients.error();
  if (auto checked = check_classes(*recipients); !checked) return checked.error();
  if (auto checked = check_link_preview(*fields); !checked) return checked.error();

  SendCall call;
  call.account = fields->text("number");
  call.recipients = std::move(*recipients);
  call.body = std::move(body);
  return call;
}

Result<SendCall> read_send_v1(std::string_view body) {
  namespace json = boost::json;
  using enum FieldKind;
  const auto fields = JsonFields::read(body, {{"number", text},
                                              {"recipients", texts},
                                              {"message", text},
                                              {"base64_attachment", text},
                                              {"is_group", flag}});
  if (!fields) return refused("invalid request");
  const bool is_group = fields->flag("is_group");
  auto recipients = unique_recipients(fields->texts("recipients"));
  if (!recipients) return recipients.error();
  if (recipients->empty()) return invalid("Please specify at least one recipient");
  if (fields->text("number").empty()) return refused("please provide a valid number");
  if (is_group) {
    if (recipients->size() > 1) return invalid("More than one recipient is currently not allowed");
    if (!decode_base64(recipients->front())) return invalid("Invalid group id");
    recipients->front().insert(0, "group.");
  }
  if (auto checked = check_classes(*recipients); !checked) return checked.error();

  json::object given = json::parse(json::string_view{body.data(), body.size()}, {},
                                   json::parse_options{.max_depth = JsonFields::depth_max})
                           .as_object();
  json::object wanted;
  wanted["number"] = given["number"];
  wanted["recipients"] = json::array(recipients->begin(), recipients->end());
  wanted["message"] = fields->has("message") ? given["message"] : json::value("");
  if (!fields->text("base64_attachment").empty())
    wanted["base64_attachments"] = json::array{given["base64_attachment"]};

  SendCall call;
  call.account = fields->text("number");
  call.recipients = std::move(*recipients);
  call.body = json::serialize(wanted);
  return call;
}

Result<SendCall> read_operation(core::Operation operation, std::string body) {
  using enum FieldKind;
  using enum core::Operation;
  const auto fields = JsonFields::read(body, {{"recipient", text},
                                              {"reaction", text},
                                              {"target_author", text},
                                              {"receipt_type", text},
                                              {"timestamp", integer}});
  if (!fields) return refused("invalid request");
  if (fields->text("recipient").empty()) return refused("recipient missing");
  if (operation == reaction && fields->text("reaction").empty()) return refused("reaction missing");
  if ((operation == reaction || operation == remove_reaction) &&
      fields->text("target_author").empty())
    return refused("target_author missing");
  const std::string& type = fields->text("receipt_type");
  if (operation == receipt && type != "read" && type != "viewed")
    return refused("receipt type must be read or viewed");
  if (fields->integer("timestamp") == 0) return refused("timestamp missing");
  auto recipients = unique_recipients({fields->text("recipient")});
  if (!recipients) return recipients.error();
  if (auto checked = check_classes(*recipients); !checked) return checked.error();

  SendCall call;
  call.recipients = std::move(*recipients);
  call.operation = operation;
  call.body = std::move(body);
  return call;
}

Result<std::optional<core::IdempotencyKey>> read_idempotency_key(const net::HttpRequest& request) {
  const auto header = std::ranges::find_if(request.headers, [](const auto& field) {
    return equal_without_case(field.first, "Idempotency-Key");
  });
  if (header == request.headers.end()) return std::optional<core::IdempotencyKey>{};
  const std::string_view key = trimmed(header->second);
  if (key.empty() || key.size() > idempotency_key_bytes_max)
    return invalid("an Idempotency-Key has 1 to " + std::to_string(idempotency_key_bytes_max) +
                   " bytes, not " + std::to_string(key.size()));
  core::IdempotencyKey promise;
  promise.key = key;
  promise.body_hash = sha256_hex({request.method, " ", request.path(), "\n", request.body});
  return std::optional{std::move(promise)};
}

std::string_view recipient_key(std::string_view recipient) {
  if (is_number(recipient)) return "number";
  return is_uuid(recipient) ? "uuid" : "username";
}

bool prefers_async(const net::HttpRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (!equal_without_case(name, "Prefer")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto end = std::min(rest.find_first_of(",;"), rest.size());
      if (equal_without_case(trimmed(rest.substr(0, end)), "respond-async")) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return false;
}

}  // namespace holdfast::api
