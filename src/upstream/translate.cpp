#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <initializer_list>
#include <upstream/attachment.hpp>
#include <upstream/envelope.hpp>
#include <upstream/recipient.hpp>
#include <upstream/text_style.hpp>
#include <upstream/translate.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

namespace json = boost::json;
using core::Operation;

/// Reads the fields of a body and keeps the first complaint.
class BodyReader {
 public:
  explicit BodyReader(const json::object& body) : body_{body} {}

  [[nodiscard]] const json::value* find(std::string_view name) const {
    const json::value* value = body_.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  std::optional<std::string_view> text(std::string_view name) {
    const json::value* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return complain(name, "a string");
    return std::string_view{value->get_string()};
  }

  std::optional<std::int64_t> number(std::string_view name) {
    const json::value* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_int64()) {
      complain(name, "a whole number");
      return std::nullopt;
    }
    return value->get_int64();
  }

  bool flag(std::string_view name, bool otherwise) {
    const json::value* value = find(name);
    if (value == nullptr) return otherwise;
    if (value->is_bool()) return value->get_bool();
    complain(name, "true or false");
    return otherwise;
  }

  const json::array* list(std::string_view name) {
    const json::value* value = find(name);
    if (value == nullptr) return nullptr;
    if (const json::array* list = value->if_array()) return list;
    complain(name, "an array");
    return nullptr;
  }

  const json::object* object(std::string_view name) {
    const json::value* value = find(name);
    if (value == nullptr) return nullptr;
    if (const json::object* object = value->if_object()) return object;
    complain(name, "an object");
    return nullptr;
  }

  std::nullopt_t complain(std::string_view name, std::string_view wanted) {
    return refuse("'" + std::string{name} + "' must be " + std::string{wanted});
  }

  std::nullopt_t missing(std::string_view name) {
    return refuse("'" + std::string{name} + "' is missing");
  }

  std::nullopt_t refuse(std::string message) {
    if (!error_) error_ = Error{Errc::invalid_argument, std::move(message)};
    return std::nullopt;
  }
  void refuse(const Error& error) {
    if (!error_) error_ = error;
  }

  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  const json::object& body_;
  std::optional<Error> error_;
};

void put_recipient(json::object& params, const Recipient& recipient, bool usernames) {
  switch (recipient.kind) {
    case Recipient::Kind::group:
      params["groupId"] = recipient.value;
      break;
    case Recipient::Kind::username:
      params[usernames ? "username" : "recipient"] = json::array{json::string{recipient.value}};
      break;
    case Recipient::Kind::person:
      params["recipient"] = json::array{json::string{recipient.value}};
      break;
  }
}

void put_attachment(json::array& uris, const json::value& given, BodyReader& body) {
  if (!given.is_string()) {
    body.complain("base64_attachments", "an array of strings");
    return;
  }
  auto uri = to_data_uri(std::string_view{given.get_string()});
  if (!uri) {
    body.refuse(uri.error());
    return;
  }
  uris.emplace_back(std::move(*uri));
}

void put_attachments(json::object& params, BodyReader& body) {
  json::array uris;
  if (const json::array* list = body.list("base64_attachments")) {
    for (const json::value& given : *list) put_attachment(uris, given, body);
  }
  // /v1/send has one, and says so with an empty text where there is none.
  if (const json::value* given = body.find("base64_attachment");
      given != nullptr && !(given->is_string() && given->get_string().empty())) {
    put_attachment(uris, *given, body);
  }
  if (!uris.empty()) params["attachment"] = std::move(uris);
}

/// `[{"start":…,"length":…,"author":…}]` as "start:length:author".
void put_mentions(json::object& params, BodyReader& body, std::string_view from,
                  std::string_view to) {
  const json::array* list = body.list(from);
  if (list == nullptr || list->empty()) return;
  json::array mentions;
  for (const json::value& entry : *list) {
    const json::object* given = entry.if_object();
    if (given == nullptr) {
      body.complain(from, "an array of objects");
      return;
    }
    BodyReader mention{*given};
    const auto start = mention.number("start");
    const auto length = mention.number("length");
    const auto author = mention.text("author");
    if (!start || !length || !author || *start < 0 || *length < 0) {
      body.refuse("an entry of '" + std::string{from} + "' needs 'start', 'length' and 'author'");
      return;
    }
    mentions.emplace_back(std::to_string(*start) + ':' + std::to_string(*length) + ':' +
                          std::string{*author});
  }
  params[to] = std::move(mentions);
}

void put_link_preview(json::object& params, BodyReader& body, std::string_view message) {
  const json::object* given = body.object("link_preview");
  if (given == nullptr) return;
  BodyReader preview{*given};
  const std::string_view url = preview.text("url").value_or("");
  const std::string_view title = preview.text("title").value_or("");
  const std::string_view description = preview.text("description").value_or("");
  const std::string_view thumbnail = preview.text("base64_thumbnail").value_or("");
  if (preview.error()) return body.refuse(*preview.error());
  if (!url.starts_with("https")) {
    body.refuse("Link Preview URL must start with https://..");
  } else if (title.empty()) {
    body.refuse("Please provide a valid Link Preview Title");
  } else if (message.find(url) == std::string_view::npos) {
    body.refuse("Link Preview URL is missing in the message!");
  }
  params["previewUrl"] = url;
  params["previewTitle"] = title;
  params["previewDescription"] = description;
  if (thumbnail.empty()) return;
  auto image = to_data_uri(thumbnail);
  if (!image) return body.refuse(image.error());
  params["previewImage"] = std::move(*image);
}

void put_message(json::object& params, BodyReader& body) {
  const std::string_view message = body.text("message").value_or("");
  put_link_preview(params, body, message);
  if (body.text("text_mode").value_or("normal") != "styled") {
    params["message"] = message;
    return;
  }
  StyledText styled = parse_styled(message);
  params["message"] = styled.text;
  if (styled.styles.empty()) return;
  json::array styles;
  for (const std::string& style : styled.styles) styles.emplace_back(style);
  params["textStyle"] = std::move(styles);
}

void put_quote(json::object& params, BodyReader& body) {
  if (const auto timestamp = body.number("quote_timestamp")) params["quoteTimestamp"] = *timestamp;
  if (const auto author = body.text("quote_author")) params["quoteAuthor"] = *author;
  if (const auto message = body.text("quote_message")) params["quoteMessage"] = *message;
  put_mentions(params, body, "quote_mentions", "quoteMention");
}

std::string_view translate_send(json::object& params, BodyReader& body) {
  put_message(params, body);
  put_attachments(params, body);
  put_mentions(params, body, "mentions", "mention");
  put_quote(params, body);
  if (const auto sticker = body.text("sticker"); sticker && !sticker->empty()) {
    if (sticker->find(':') == std::string_view::npos) {
      body.refuse("Couldn't process request - please provide valid sticker delimiter");
    }
    params["sticker"] = *sticker;
  }
  if (const auto timestamp = body.number("edit_timestamp")) params["editTimestamp"] = *timestamp;
  if (body.flag("notify_self", true)) params["notifySelf"] = true;
  if (body.flag("view_once", false)) {
    if (!params.contains("attachment")) {
      body.refuse("'view_once' can only be set for image attachments!");
    }
    params["viewOnce"] = true;
  }
  return "send";
}

void put_target(json::object& params, BodyReader& body) {
  const auto timestamp = body.number("timestamp");
  if (!timestamp) body.missing("timestamp");
  params["targetTimestamp"] = timestamp.value_or(0);
}

std::string_view translate_reaction(json::object& params, BodyReader& body, bool remove) {
  // signal-cli wants an emoji for a removal too, and does not look at it.
  const std::string_view emoji = body.text("reaction").value_or("");
  const std::string_view author = body.text("target_author").value_or("");
  if (emoji.empty() && !remove) body.missing("reaction");
  if (author.empty()) body.missing("target_author");
  put_target(params, body);
  params["emoji"] = emoji.empty() ? std::string_view{"👍"} : emoji;
  params["targetAuthor"] = author;
  if (remove) params["remove"] = true;
  return "sendReaction";
}

std::string_view translate_receipt(json::object& params, BodyReader& body) {
  const std::string_view type = body.text("receipt_type").value_or("");
  if (type != "read" && type != "viewed") {
    body.refuse("'receipt_type' must be \"read\" or \"viewed\"");
  }
  put_target(params, body);
  params["type"] = type;
  return "sendReceipt";
}

std::string_view translate_remote_delete(json::object& params, BodyReader& body) {
  put_target(params, body);
  return "remoteDelete";
}

std::string_view translate_body(Operation operation, json::object& params, BodyReader& body) {
  switch (operation) {
    case Operation::send:
      return translate_send(params, body);
    case Operation::reaction:
    case Operation::remove_reaction:
      return translate_reaction(params, body, operation == Operation::remove_reaction);
    case Operation::receipt:
      return translate_receipt(params, body);
    case Operation::remote_delete:
      return translate_remote_delete(params, body);
  }
  return "send";
}

/// The longest string in `value`, which is not nested deeper than an array.
std::size_t longest_string(const json::value& value) {
  if (const json::string* text = value.if_string()) return text->size();
  std::size_t longest = 0;
  if (const json::array* list = value.if_array()) {
    for (const json::value& entry : *list) longest = std::max(longest, longest_string(entry));
  }
  return longest;
}

}  // namespace

Result<RpcCall> translate_entry(const core::Entry& entry, std::string_view body) {
  json::error_code ec;
  json::parse_options options;
  options.max_depth = json_depth_max;
  const json::value parsed = json::parse(body, ec, {}, options);
  if (ec || !parsed.is_object()) {
    return Error{Errc::invalid_argument, "Couldn't process request - invalid request"};
  }
  auto recipient = parse_recipient(entry.recipient);
  if (!recipient) return recipient.error();
  if (entry.operation == Operation::receipt && recipient->kind == Recipient::Kind::group) {
    return Error{Errc::invalid_argument, "a receipt goes to a person, not to a group"};
  }

  json::object params;
  params["account"] = entry.account;
  put_recipient(params, *recipient, entry.operation != Operation::receipt);
  BodyReader reader{parsed.get_object()};
  const std::string_view method = translate_body(entry.operation, params, reader);
  if (reader.error()) return *reader.error();
  for (const auto& param : params) {
    const std::size_t chars = longest_string(param.value());
    if (chars > rpc_string_chars_max) {
      return Error{Errc::too_large, "'" + std::string{param.key()} + "' has " +
                                        std::to_string(chars) + " characters; signal-cli takes " +
                                        std::to_string(rpc_string_chars_max) +
                                        " (an attachment of about 15 MB) over JSON-RPC"};
    }
  }
  return RpcCall{std::string{method}, json::serialize(params)};
}

}  // namespace holdfast::upstream
