#include <fmt/format.h>

#include <app/commands.hpp>
#include <app/event_lines.hpp>
#include <app/exit_codes.hpp>
#include <app/gateway_client.hpp>
#include <app/json_view.hpp>
#include <app/output.hpp>

namespace holdfast::app {
namespace {

std::string time_of(const JsonView& object, std::string_view key) {
  return time_text(object.integer(key), TimeStyle::full);
}

std::string list_line(const JsonView& entry) {
  std::string line =
      fmt::format("{:<18} {:<9} {}  {} to {}", harmless(entry.text("id")),
                  harmless(entry.text("state")), time_of(entry, "created_at"),
                  harmless(entry.text("operation")), harmless(entry.text("recipient")));
  if (entry.boolean("possible_duplicate")) line += ", possible duplicate";
  if (const std::string error = entry.text("error"); !error.empty()) {
    line += ": " + harmless(error);
  }
  return line + "\n";
}

std::string part_lines(const JsonView& entry) {
  std::string text = list_line(entry);
  text += fmt::format("  {} on account {}", counted(entry.integer("attempts"), "attempt"),
                      harmless(entry.text("account")));
  if (const std::int64_t timestamp = entry.integer("timestamp"); timestamp > 0) {
    text += fmt::format(", timestamp {}", timestamp);
  }
  if (entry.boolean("out_of_order")) text += ", sent out of order";
  text += "\n";
  for (const JsonView& row : entry["history"].elements()) {
    text += fmt::format("  {}  {}", time_of(row, "at"), harmless(row.text("to")));
    if (const std::string why = row.text("why"); !why.empty()) text += ": " + harmless(why);
    text += "\n";
  }
  return text;
}

std::string send_text(const JsonView& send) {
  const auto parts = send["parts"].elements();
  if (parts.empty()) return part_lines(send);
  std::string text =
      fmt::format("{} {}, to {}\n", harmless(send.text("id")), harmless(send.text("state")),
                  counted(static_cast<std::int64_t>(parts.size()), "recipient"));
  for (const JsonView& part : parts) text += part_lines(part);
  return text;
}

std::string list_text(const JsonView& list) {
  const auto entries = list["entries"].elements();
  if (entries.empty()) return "nothing\n";
  std::string text;
  for (const JsonView& entry : entries) text += list_line(entry);
  if (list["next_before"].exists()) text += "(older ones are left out)\n";
  return text;
}

}  // namespace

int outbox(const OutboxCommand& command) {
  std::string path = "/holdfast/v1/outbox";
  if (!command.id.empty()) {
    path += "/" + net::percent_encode(command.id);
  } else if (command.state) {
    path += std::string{"?state="} + core::to_string(*command.state);
  }
  const Reply reply = get_from_gateway(command.access, path);
  if (const Trouble* trouble = std::get_if<Trouble>(&reply)) {
    return fail(trouble->exit_code, trouble->sentence);
  }
  const std::string& body = std::get<net::HttpResponse>(reply).body;
  if (command.json) return print(body + "\n") ? exit_ok : exit_internal;
  const JsonDocument document{body};
  const std::string text =
      command.id.empty() ? list_text(document.root()) : send_text(document.root());
  return print(text) ? exit_ok : exit_internal;
}

}  // namespace holdfast::app
