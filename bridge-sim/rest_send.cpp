#include <algorithm>
#include <boost/json/parse.hpp>
#include <bridge_sim/rest.hpp>
#include <bridge_sim/values.hpp>

namespace holdfast::bridge_sim {
namespace {

constexpr std::string_view invalid = "Couldn't process request - invalid request";
constexpr std::string_view groups_and_numbers =
    "Signal Messenger Groups and phone numbers cannot be specified together in one request! "
    "Please split them up into multiple REST API calls.";
constexpr std::string_view several_groups =
    "A signal message cannot be sent to more than one group at once! Please use multiple REST API "
    "calls for that.";

bool is_number(std::string_view text) {
  return text.starts_with('+') && std::all_of(text.begin() + 1, text.end(), [](char c) {
           return (c >= '0' && c <= '9') || c == ' ';
         });
}

/// Puts the recipients where signal-cli wants them; the error's text if they cannot be mixed.
std::string place_recipients(const std::vector<std::string>& recipients, json::object& params) {
  json::array numbers;
  json::array names;
  json::array groups;
  for (const std::string& recipient : recipients) {
    if (recipient.starts_with("group.")) {
      const auto id = internal_group_id(recipient);
      if (!id) return "Invalid group id";
      groups.emplace_back(*id);
    } else if (is_number(recipient) || is_uuid(recipient)) {
      numbers.emplace_back(recipient);
    } else {
      names.emplace_back(recipient);
    }
  }
  if (!groups.empty() && !(numbers.empty() && names.empty()))
    return std::string{groups_and_numbers};
  if (!names.empty() && !numbers.empty()) {
    return "Signal Messenger phone numbers and usernames cannot be specified together in one "
           "request! Please split them up into multiple REST API calls.";
  }
  if (groups.size() > 1) return std::string{several_groups};
  if (!groups.empty()) params["group-id"] = std::move(groups);
  if (!numbers.empty()) params["recipient"] = std::move(numbers);
  if (!names.empty()) params["username"] = std::move(names);
  return {};
}

std::string place_attachments(const json::object& body, json::object& params) {
  json::array attachments;
  for (const std::string_view key : {"base64_attachments", "base64_attachment"}) {
    const json::value* given = body.if_contains(key);
    if (given == nullptr) continue;
    for (const std::string& text : texts_of(*given)) {
      if (text.empty()) continue;
      const auto comma = text.starts_with("data:") ? text.find(',') : std::string::npos;
      const std::string_view data =
          std::string_view{text}.substr(comma == std::string::npos ? 0 : comma + 1);
      if (!from_base64(data)) return "illegal base64 data at input byte 0";
      attachments.emplace_back(
          comma == std::string::npos ? "data:application/octet-stream;base64," + text : text);
    }
  }
  const bool any = !attachments.empty();
  if (any) params["attachment"] = std::move(attachments);
  if (flag_of(body, "view_once") && !any) {
    return "'view_once' can only be set for image attachments!";
  }
  return {};
}

void copy(const json::object& from, std::string_view key, json::object& to, std::string_view name) {
  if (const json::value* value = from.if_contains(key); value != nullptr && !value->is_null()) {
    to[name] = *value;
  }
}

}  // namespace

std::optional<std::string> internal_group_id(std::string_view id) {
  if (!id.starts_with("group.")) return std::nullopt;
  const auto internal = from_base64(id.substr(6));
  if (!internal) return std::nullopt;
  const auto bytes = from_base64(*internal);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  return internal;
}

std::string external_group_id(std::string_view internal) { return "group." + base64(internal); }

RestSend read_send(const std::string& text, bool v1) {
  RestSend send;
  boost::json::error_code ec;
  const json::value value = json::parse(text, ec);
  if (ec || !value.is_object()) {
    send.error = invalid;
    send.malformed = true;
    return send;
  }
  const json::object& body = value.get_object();
  std::vector<std::string> recipients;
  if (const json::value* list = body.if_contains("recipients")) recipients = texts_of(*list);
  if (!v1 && body.contains("recipient")) recipients.push_back(text_of(body, "recipient"));
  if (recipients.empty()) {
    send.error = v1 ? "Please specify at least one recipient"
                    : "Couldn't process request - please provide at least one recipient";
    return send;
  }
  if (text_of(body, "number").empty()) {
    send.error = "Couldn't process request - please provide a valid number";
    return send;
  }
  const std::string sticker = text_of(body, "sticker");
  if (!sticker.empty() && sticker.find(':') == std::string::npos) {
    send.error = "Couldn't process request - please provide valid sticker delimiter";
    return send;
  }
  if (v1 && flag_of(body, "is_group")) {
    for (std::string& recipient : recipients) {
      if (!recipient.starts_with("group.")) recipient = external_group_id(recipient);
    }
  }
  send.params["account"] = text_of(body, "number");
  send.error = place_recipients(recipients, send.params);
  if (send.error.empty()) send.error = place_attachments(body, send.params);
  if (!send.error.empty()) return send;
  copy(body, "message", send.params, "message");
  copy(body, "sticker", send.params, "sticker");
  copy(body, "quote_timestamp", send.params, "quote-timestamp");
  copy(body, "quote_author", send.params, "quote-author");
  copy(body, "quote_message", send.params, "quote-message");
  copy(body, "edit_timestamp", send.params, "edit-timestamp");
  copy(body, "mentions", send.params, "mention");
  copy(body, "view_once", send.params, "view-once");
  send.params["notify-self"] = flag_of(body, "notify_self", true);
  return send;
}

}  // namespace holdfast::bridge_sim
