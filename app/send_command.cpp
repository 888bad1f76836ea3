#include <fmt/format.h>
#include <unistd.h>

#include <app/commands.hpp>
#include <app/exit_codes.hpp>
#include <app/gateway_client.hpp>
#include <app/json_view.hpp>
#include <app/output.hpp>
#include <iostream>
#include <iterator>
#include <random>

namespace holdfast::app {
namespace {

constexpr std::size_t message_bytes_max = 1 << 20;
/// The gateway answers within its send wait, at most `send_wait_max`.
constexpr std::chrono::milliseconds answer_within = send_wait_max + std::chrono::seconds{30};

std::string random_key() {
  std::random_device device;
  return fmt::format("cli-{:08x}{:08x}{:08x}", device(), device(), device());
}

/// All of standard input, without its last line break.
Result<std::string> read_message() {
  if (::isatty(STDIN_FILENO) == 1) print("Type the message; end it with Ctrl-D.\n");
  std::string text;
  char piece[4096];
  while (std::cin.read(piece, sizeof piece) || std::cin.gcount() > 0) {
    text.append(piece, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > message_bytes_max) {
      return Error{Errc::too_large, fmt::format("the message is larger than {} bytes; send it as "
                                                "an attachment through /v2/send",
                                                message_bytes_max)};
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return Error{Errc::invalid_argument, "the message is empty"};
  return text;
}

std::string outcome_text(const net::HttpResponse& response) {
  const JsonDocument document{response.body};
  const JsonView& view = document.root();
  const std::string id{net::header(response.headers, "Holdfast-Id")};
  const std::string state{net::header(response.headers, "Holdfast-State")};
  const std::string timestamp = view.text("timestamp");
  if (state.empty() || state == "sent") {
    std::string text =
        fmt::format("sent, timestamp {}, id {}\n", harmless(timestamp), harmless(id));
    for (const JsonView& missed : view["errors"]["recipients"].elements()) {
      const std::string number = missed.text("number");
      text += fmt::format("not sent to {}: {}\n",
                          harmless(number.empty() ? missed.text("recipient") : number),
                          harmless(missed.text("reason")));
    }
    return text;
  }
  if (state == "queued" || state == "sending") {
    return fmt::format(
        "{}, id {}: it is stored and goes out as soon as it can; see: holdfast outbox "
        "{}\n",
        harmless(state), harmless(id), harmless(id));
  }
  return fmt::format("{}, id {}; see: holdfast outbox {}\n", harmless(state), harmless(id),
                     harmless(id));
}

}  // namespace

int send(const SendCommand& command) {
  std::string message = command.message.value_or("-");
  if (message == "-") {
    auto read = read_message();
    if (!read) return fail(exit_usage, read.error().message);
    message = std::move(*read);
  } else if (message.empty()) {
    return fail(exit_usage, "the message is empty");
  }
  boost::json::array recipients;
  for (const std::string& recipient : command.recipients) recipients.emplace_back(recipient);
  const boost::json::object body{
      {"number", command.account}, {"recipients", std::move(recipients)}, {"message", message}};
  // With a key, a call whose answer was lost can be repeated without a second message.
  const std::string key = command.idempotency_key.empty() ? random_key() : command.idempotency_key;

  net::HttpRequest request;
  request.method = "POST";
  request.target = target_of(command.access, "/v2/send");
  request.headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", key}};
  request.body = boost::json::serialize(body);
  const Reply reply = call_gateway(command.access, std::move(request), answer_within);
  if (const Trouble* trouble = std::get_if<Trouble>(&reply)) {
    if (!trouble->unanswered) return fail(trouble->exit_code, trouble->sentence);
    return fail(trouble->exit_code,
                fmt::format("{}; it may have been accepted: repeat the command with "
                            "--idempotency-key {} and nothing is sent twice",
                            trouble->sentence, key));
  }
  const auto& response = std::get<net::HttpResponse>(reply);
  return print(command.json ? response.body + "\n" : outcome_text(response)) ? exit_ok
                                                                             : exit_internal;
}

}  // namespace holdfast::app
