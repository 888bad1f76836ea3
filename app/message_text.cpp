#include <fmt/format.h>

#include <app/event_lines.hpp>
#include <app/json_view.hpp>
#include <app/message_text.hpp>
#include <app/output.hpp>

namespace holdfast::app {
namespace {

std::string first_of(const JsonView& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (std::string text = object.text(key); !text.empty()) return text;
  }
  return {};
}

std::string sender_of(const JsonView& envelope) {
  const std::string name = envelope.text("sourceName");
  const std::string number = first_of(envelope, {"sourceNumber", "source", "sourceUuid"});
  if (name.empty()) return number.empty() ? "somebody" : number;
  return number.empty() ? name : name + " " + number;
}

std::string group_of(const JsonView& message) {
  const JsonView group = message["groupInfo"];
  if (!group.exists()) return {};
  return " in " + first_of(group, {"groupName", "groupId"});
}

/// What a data message, of somebody else's or of this account on another device, says.
std::string content_of(const JsonView& message) {
  std::string text = message.text("message");
  const JsonView reaction = message["reaction"];
  if (reaction.exists()) {
    return fmt::format("({} {} to the message of {})",
                       reaction.boolean("isRemove") ? "took back" : "reacted",
                       reaction.text("emoji"), reaction.integer("targetSentTimestamp"));
  }
  if (message["remoteDelete"].exists()) {
    return fmt::format("(deleted the message of {})", message["remoteDelete"].integer("timestamp"));
  }
  const auto attachments = static_cast<std::int64_t>(message["attachments"].elements().size());
  if (attachments > 0) {
    text += fmt::format("{}({})", text.empty() ? "" : " ", counted(attachments, "attachment"));
  }
  if (message["sticker"].exists()) text += "(a sticker)";
  return text.empty() ? "(no text)" : text;
}

std::string what_of(const JsonView& envelope) {
  if (const JsonView data = envelope["dataMessage"]; data.exists()) {
    return group_of(data) + ": " + content_of(data);
  }
  if (const JsonView edit = envelope["editMessage"]; edit.exists()) {
    const JsonView data = edit["dataMessage"];
    return group_of(data) + fmt::format(" (edit of {}): ", edit.integer("targetSentTimestamp")) +
           content_of(data);
  }
  if (const JsonView sent = envelope["syncMessage"]["sentMessage"]; sent.exists()) {
    const std::string to = first_of(sent, {"destinationNumber", "destination", "destinationUuid"});
    return group_of(sent) + (to.empty() ? "" : " to " + to) +
           " (from another device): " + content_of(sent);
  }
  if (envelope["syncMessage"].exists()) return " (news from another device)";
  if (const JsonView receipt = envelope["receiptMessage"]; receipt.exists()) {
    return fmt::format(
        " ({} {})",
        receipt.boolean("isViewed") ? "viewed"
        : receipt.boolean("isRead") ? "read"
                                    : "got",
        counted(static_cast<std::int64_t>(receipt["timestamps"].elements().size()), "message"));
  }
  if (const JsonView typing = envelope["typingMessage"]; typing.exists()) {
    return typing.text("action") == "STOPPED" ? " (stopped typing)" : " (is typing)";
  }
  if (envelope["callMessage"].exists()) return " (a call)";
  if (const JsonView story = envelope["storyMessage"]; story.exists()) return " (a story)";
  return " (something else)";
}

}  // namespace

std::string message_text(std::string_view frame) {
  const JsonDocument document{frame};
  const JsonView envelope = document.root()["envelope"];
  if (!envelope.exists()) return "(a frame that is no message) " + harmless(frame.substr(0, 200));
  std::string line =
      fmt::format("{}  {}", time_text(envelope.integer("timestamp"), TimeStyle::full),
                  harmless(sender_of(envelope) + what_of(envelope)));
  if (const JsonView exception = document.root()["exception"]; exception.exists()) {
    line += harmless(" (could not be read: " + exception.text("message") + ")");
  }
  return line;
}

}  // namespace holdfast::app
