#include <fmt/format.h>
#include <unistd.h>

#include <app/commands.hpp>
#include <app/event_lines.hpp>
#include <app/exit_codes.hpp>
#include <app/gateway_client.hpp>
#include <app/json_view.hpp>
#include <app/line_writer.hpp>
#include <app/output.hpp>

namespace holdfast::app {
namespace {

std::string bytes_text(std::int64_t bytes) {
  constexpr double kib = 1024;
  const auto value = static_cast<double>(bytes);
  if (value < kib * kib) return fmt::format("{:.0f} KiB", value / kib);
  if (value < kib * kib * kib) return fmt::format("{:.1f} MiB", value / (kib * kib));
  return fmt::format("{:.1f} GiB", value / (kib * kib * kib));
}

/// "connected for 3 min: attempt 1 was answered".
std::string state_line(const JsonView& link, std::int64_t now, bool colour) {
  std::string line = fmt::format("{} for {}", state_text(link.text("state"), colour),
                                 duration_text(now - link.integer("since", now)));
  const std::int64_t next = link.integer("next_attempt_at");
  if (next > 0) {
    line +=
        fmt::format(", attempt {} in {}", link.integer("attempt_count"), duration_text(next - now));
  }
  const std::string evidence = link.text("evidence");
  if (!evidence.empty()) line += ": " + harmless(evidence);
  return line;
}

std::string link_lines(const JsonView& link, std::int64_t now, bool colour) {
  std::string text =
      fmt::format("\n{} on {}{}\n", harmless(link.text("account")), harmless(link.text("upstream")),
                  link.boolean("ready") ? "" : " (not ready)");
  text += "  link      " + state_line(link, now, colour) + "\n";
  const JsonView sync = link["sync"];
  if (sync.exists()) text += fmt::format("  sync      {}\n", harmless(sync.text("phase")));
  text += fmt::format("  receive   {}; send {}", harmless(link.text("receive_health")),
                      harmless(link.text("send_health")));
  if (const std::string why = link.text("send_evidence"); !why.empty()) {
    text += " (" + harmless(why) + ")";
  }
  text += "\n";
  const JsonView inbound = link["inbound"];
  text += fmt::format("  inbound   {} stored, {} not yet taken by a bot, {} attached\n",
                      inbound.integer("last_seq"), inbound.integer("lag"),
                      counted(inbound.integer("clients"), "bot"));
  const JsonView outbox = link["outbox"];
  text += fmt::format("  outbox    {} queued, {} sending, {} unknown, {} held",
                      outbox.integer("queued"), outbox.integer("sending"),
                      outbox.integer("unknown"), outbox.integer("held"));
  if (const std::int64_t oldest = outbox.integer("oldest_at"); oldest > 0) {
    text += fmt::format(", the oldest {} old", duration_text(now - oldest));
  }
  text += "\n";
  if (const std::int64_t until = outbox.integer("frozen_until"); until > now) {
    text += fmt::format("  Signal asked to wait: sends go on in {}\n", duration_text(until - now));
  }
  if (!outbox.text("challenge_token").empty()) {
    text += "  Signal wants proof that a person is there: solve the captcha challenge\n";
  }
  if (const std::string note = link.text("note"); !note.empty()) {
    text += "  note      " + harmless(note) + "\n";
  }
  return text;
}

std::string store_lines(const JsonView& store) {
  std::string text = fmt::format(
      "\nstore       {}, {} of disk left, check: {}", bytes_text(store.integer("bytes")),
      bytes_text(store.integer("disk_free_bytes")), harmless(store.text("check")));
  if (!store.boolean("writable")) text += "; NOT WRITABLE: " + harmless(store.text("problem"));
  return text + "\n";
}

}  // namespace

int status(const StatusCommand& command) {
  const Reply reply = get_from_gateway(command.access, "/holdfast/v1/status");
  if (const Trouble* trouble = std::get_if<Trouble>(&reply)) {
    return fail(trouble->exit_code, trouble->sentence);
  }
  const std::string& body = std::get<net::HttpResponse>(reply).body;
  if (command.json) return print(body + "\n") ? exit_ok : exit_internal;
  const JsonDocument document{body};
  const JsonView& view = document.root();
  if (!view.exists()) {
    return fail(exit_unreachable,
                fmt::format("what answers at {} is no Holdfast", shown_url(command.access.url)));
  }
  const std::int64_t now = view.integer("now");
  const bool colour = wants_colour(STDOUT_FILENO);
  std::string text = fmt::format("Holdfast {} at {}, up {}, {}\n", harmless(view.text("version")),
                                 shown_url(command.access.url),
                                 duration_text(now - view.integer("started_at", now)),
                                 view.boolean("ready") ? "ready" : "not ready");
  for (const JsonView& link : view["links"].elements()) text += link_lines(link, now, colour);
  text += store_lines(view["store"]);
  return print(text) ? exit_ok : exit_internal;
}

}  // namespace holdfast::app
