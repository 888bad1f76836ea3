#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <app/command_line.hpp>
#include <app/exit_codes.hpp>
#include <app/values.hpp>
#include <array>
#include <charconv>
#include <functional>
#include <string_view>
#include <utility>

namespace holdfast::app {
namespace {

constexpr const char* default_url = "http://127.0.0.1:8090";
constexpr core::Duration longest_wait{24 * 3'600'000};
constexpr std::size_t frames_max_most = 1'000'000;

constexpr std::array entry_states{
    core::EntryState::queued,    core::EntryState::sending, core::EntryState::sent,
    core::EntryState::failed,    core::EntryState::unknown, core::EntryState::held,
    core::EntryState::cancelled, core::EntryState::expired,
};

Error invalid(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

/// The value of a result, or what makes CLI11 report that option `name` is wrong.
template <typename T>
T value_of(const std::string& name, Result<T> result) {
  if (!result) throw CLI::ValidationError(name, result.error().message);
  return std::move(*result);
}

/// An option whose one value `parse` turns into `slot`'s.
template <typename Slot, typename Parse>
CLI::Option* add(CLI::App& command, const std::string& name, Slot& slot, Parse parse,
                 const std::string& help, const std::string& shown_as) {
  const auto read = [name, parse, &slot](const std::string& text) {
    slot = value_of(name, parse(text));
  };
  return command.add_option_function<std::string>(name, read, help)->type_name(shown_as);
}

Result<core::JitterKind> parse_jitter_kind(std::string_view text) {
  if (const auto kind = core::parse_jitter(text)) return *kind;
  constexpr std::array<std::string_view, 3> known{"none", "equal", "full"};
  return invalid("no such kind: " + unknown_word(text, known));
}

Result<core::EntryState> parse_state(std::string_view text) {
  std::array<std::string_view, entry_states.size()> known;
  for (std::size_t i = 0; i < entry_states.size(); ++i) {
    known[i] = core::to_string(entry_states[i]);
    if (known[i] == text) return entry_states[i];
  }
  return invalid("no such state: " + unknown_word(text, known));
}

Result<std::size_t> parse_count(std::string_view text) {
  std::size_t count = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (ec != std::errc{} || end != text.data() + text.size() || count < 1 ||
      count > frames_max_most) {
    return invalid(fmt::format("\"{}\" is no whole number from 1 to {}", text, frames_max_most));
  }
  return count;
}

/// A duration; a bare number is seconds.
Result<core::Duration> parse_seconds(std::string_view text) {
  const bool bare = text.find_first_not_of("0123456789.") == std::string_view::npos;
  return parse_duration(bare ? std::string{text} + "s" : std::string{text}, longest_wait);
}

Result<std::filesystem::path> parse_path(std::string_view text) {
  if (text.empty()) return invalid("the path is empty");
  return std::filesystem::path{text};
}

Result<std::string> parse_recipient(std::string_view text) {
  if (text.empty()) return invalid("the recipient is empty");
  return std::string{text};
}

Result<std::string> parse_key(std::string_view text) {
  constexpr std::size_t key_bytes_max = 256;
  if (text.empty() || text.size() > key_bytes_max) {
    return invalid(fmt::format("a key has 1 to {} bytes", key_bytes_max));
  }
  for (const char c : text) {
    if (c < '!' || c > '~') return invalid("a key may only have printable ASCII characters");
  }
  return std::string{text};
}

Result<net::Url> parse_gateway_url(std::string_view text) {
  auto url = net::parse_url(text);
  if (url && url->scheme != "http" && url->scheme != "https") {
    return invalid(fmt::format("\"{}\" is no gateway's address; write {}", text, default_url));
  }
  return url;
}

void add_access(CLI::App& command, Access& access) {
  // The default is a literal that parses.
  access.url = *net::parse_url(default_url);
  add(command, "--url", access.url, parse_gateway_url, "Where the gateway listens", "URL")
      ->default_str(default_url)
      ->envname("HOLDFAST_URL");
  command
      .add_option("--token", access.token,
                  "Token of the gateway; better given as HOLDFAST_TOKEN, because other users see a "
                  "command line")
      ->type_name("TOKEN")
      ->envname("HOLDFAST_TOKEN");
}

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print JSON, for programs");
}

void add_account(CLI::App& command, std::string& account) {
  add(command, "--account", account, parse_account, "The account", "+N")->required();
}

/// Every command's options, read into the struct of the one that was named.
class Parser {
 public:
  explicit Parser(const std::string& version) {
    app_.set_version_flag("--version", "holdfast " + version);
    app_.failure_message([](const CLI::App*, const CLI::Error& error) { return error.what(); });
    app_.footer(
        "A command's options: holdfast COMMAND --help\n"
        "Exit codes: 0 done, 1 audit found a problem, 2 wrong usage or configuration,\n"
        "  3 cannot listen, 4 store, 5 gateway not reachable, 6 refused by the gateway");
    add_run();
    add_demo();
    add_status();
    add_send();
    add_receive();
    add_outbox();
    add_audit();
  }

  Command parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
      for (const auto& [command, result] : commands_) {
        if (command->parsed()) return result();
      }
      return Say{missing_command(), exit_usage};
    } catch (const CLI::CallForVersion& version) {
      return Say{std::string{version.what()} + "\n", exit_ok};
    } catch (const CLI::CallForHelp&) {
      return Say{help(), exit_ok};
    } catch (const CLI::ExtrasError& error) {
      return Say{unexpected(error.what()), exit_usage};
    } catch (const CLI::ArgumentMismatch& error) {
      return Say{wrong_count(error.what()), exit_usage};
    } catch (const CLI::ConversionError& error) {
      return Say{fmt::format("a flag takes no value: {}", error.what()), exit_usage};
    } catch (const CLI::ParseError& error) {
      return Say{error.what(), exit_usage};
    }
  }

 private:
  CLI::App& add_command(const std::string& name, const std::string& help,
                        std::function<Command()> result) {
    CLI::App* command = app_.add_subcommand(name, help);
    commands_.emplace_back(command, std::move(result));
    return *command;
  }

  void add_run() {
    CLI::App& command =
        add_command("run", "Hold the accounts' connections to their bridges", [this]() -> Command {
          auto upstreams = pairing_.finish();
          if (!upstreams) refuse(upstreams.error());
          run_.flags.upstreams = std::move(*upstreams);
          return std::move(run_);
        });
    Settings& flags = run_.flags;
    command
        .add_option_function<std::string>(
            "--upstream",
            [this](const std::string& url) {
              if (auto paired = pairing_.upstream(url); !paired) refuse(paired.error());
            },
            "A bridge: http://HOST:8080 (signal-cli-rest-api), unix:/PATH or tcp://HOST:7583 "
            "(signal-cli daemon), sim: (a built-in stand-in); may be repeated")
        ->type_name("URL")
        ->trigger_on_parse();
    command
        .add_option_function<std::string>(
            "--account",
            [this](const std::string& account) {
              if (auto paired = pairing_.account(account); !paired) refuse(paired.error());
            },
            "An account on the --upstream before it; may be repeated")
        ->type_name("+N")
        ->trigger_on_parse();
    add(command, "--listen", flags.listen, net::parse_listen_address,
        "Where bots connect (127.0.0.1:8090)", "ADDRESS:PORT");
    add(command, "--data-dir", flags.data_dir, parse_path, "Where messages are kept", "DIR");
    add(command, "--config", run_.config_file, parse_path,
        "A TOML file; what is on the command line wins", "FILE");
    add(command, "--jitter", flags.jitter, parse_jitter_kind,
        "How much of a wait before an attempt is random (equal)", "none|equal|full");
    command.add_flag_callback(
        "--no-hints", [&flags] { flags.hints = false; },
        "Do not attempt early when a bridge seems to be back");
    add(command, "--rate", flags.rate_per_s, parse_rate,
        "How fast one account sends, such as 60/min (2/s); unlimited turns pacing off", "RATE");
    add(command, "--burst", flags.burst, parse_burst, "How many it may send at once (20)", "N");
    add(
        command, "--send-wait", flags.send_wait,
        [](std::string_view text) { return parse_duration(text, send_wait_max); },
        "How long /v2/send waits for Signal's answer (3s)", "TIME");
  }

  void add_demo() {
    CLI::App& command = add_command(
        "demo", "Show it all against a built-in bridge that keeps failing; nothing is kept",
        [this]() -> Command { return std::move(demo_); });
    add(
        command, "--for", demo_.stop_after,
        [](std::string_view text) { return parse_duration(text, longest_wait); },
        "Stop after this time instead of at Ctrl-C", "TIME");
    add(command, "--listen", demo_.listen, net::parse_listen_address,
        "Where bots connect (127.0.0.1:8090, or a free port where that is taken)", "ADDRESS:PORT");
  }

  void add_status() {
    CLI::App& command = add_command("status", "What a running gateway is doing",
                                    [this]() -> Command { return std::move(status_); });
    add_json(command, status_.json);
    add_access(command, status_.access);
  }

  void add_send() {
    CLI::App& command = add_command("send", "Send a message through a running gateway",
                                    [this]() -> Command { return std::move(send_); });
    add_account(command, send_.account);
    command
        .add_option_function<std::string>(
            "--to",
            [this](const std::string& recipient) {
              send_.recipients.push_back(value_of("--to", parse_recipient(recipient)));
            },
            "A recipient: +N, an ACI, a user name or group.ID; may be repeated")
        ->type_name("RECIPIENT")
        ->required()
        ->trigger_on_parse();
    command
        .add_option("--message", send_.message,
                    "The text; - or nothing reads it from standard input")
        ->type_name("TEXT");
    add(command, "--idempotency-key", send_.idempotency_key, parse_key,
        "A repeat with the same key and text sends nothing again", "KEY");
    add_json(command, send_.json);
    add_access(command, send_.access);
  }

  void add_receive() {
    CLI::App& command =
        add_command("receive", "Print messages as they come; they count as received",
                    [this]() -> Command { return std::move(receive_); });
    add_account(command, receive_.account);
    add(command, "--max", receive_.frames_max, parse_count, "Stop after so many", "N");
    add(command, "--timeout", receive_.timeout, parse_seconds,
        "Stop after so many seconds without a message", "S");
    command.add_flag("--json", receive_.json, "Print each one as the bridge gave it, one a line");
    add_access(command, receive_.access);
  }

  void add_outbox() {
    CLI::App& command = add_command("outbox", "What waits to be sent, and what became of the rest",
                                    [this]() -> Command { return std::move(outbox_); });
    command.add_option("ID", outbox_.id, "One send, with its history")->type_name("");
    add(command, "--state", outbox_.state, parse_state,
        "Only those in this state: queued, sending, sent, failed, unknown, held, cancelled, "
        "expired",
        "STATE");
    add_json(command, outbox_.json);
    add_access(command, outbox_.access);
  }

  void add_audit() {
    CLI::App& command = add_command("audit", "Prove from the store's records that nothing was lost",
                                    [this]() -> Command { return std::move(audit_); });
    add(command, "--data-dir", audit_.data_dir, parse_path, "Where messages are kept", "DIR");
    add_json(command, audit_.json);
  }

  [[noreturn]] static void refuse(const Error& error) {
    // The message names its option already.
    throw CLI::RuntimeError{error.message, exit_usage};
  }

  [[nodiscard]] const CLI::App& named() const {
    for (const auto& [command, result] : commands_) {
      if (command->parsed()) return *command;
    }
    return app_;
  }

  [[nodiscard]] std::string help() const {
    const CLI::App& command = named();
    return &command == &app_ ? app_.help() : command.help("holdfast");
  }

  /// CLI11's words for an option that has no value, or several: "--burst: 1 required N missing".
  [[nodiscard]] static std::string wrong_count(const std::string& message) {
    const std::string name = message.substr(0, message.find(':'));
    if (message.ends_with(" missing")) return name + " needs a value";
    return name + " is given more than once";
  }

  [[nodiscard]] std::string missing_command() const {
    std::string names;
    for (const auto& [command, result] : commands_) names += " " + command->get_name();
    return fmt::format("which command? one of{}; see holdfast --help", names);
  }

  /// A word that no option or command took.
  [[nodiscard]] std::string unexpected(const std::string& message) const {
    const CLI::App& command = named();
    std::string word = command.remaining(true).empty() ? "" : command.remaining(true).front();
    if (word.empty()) return message;
    if (const auto equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
      word.resize(equals);
    }
    std::vector<std::string> names;
    if (word.starts_with('-')) {
      for (const CLI::Option* option : command.get_options()) {
        if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
      }
    } else if (&command == &app_) {
      for (const auto& [known, result] : commands_) names.push_back(known->get_name());
    }
    const std::vector<std::string_view> known{names.begin(), names.end()};
    const std::string what = &command == &app_
                                 ? "there is no command or option "
                                 : fmt::format("\"{}\" does not take ", command.get_name());
    if (known.empty()) return fmt::format("{}\"{}\"", what, word);
    return what + unknown_word(word, known);
  }

  CLI::App app_{"Holdfast: a Signal connection that holds, and loses nothing when it doesn't.",
                "holdfast"};
  std::vector<std::pair<CLI::App*, std::function<Command()>>> commands_;
  UpstreamPairing pairing_;
  RunCommand run_;
  DemoCommand demo_;
  StatusCommand status_;
  SendCommand send_;
  ReceiveCommand receive_;
  OutboxCommand outbox_;
  AuditCommand audit_;
};

}  // namespace

Command parse_command_line(int argc, const char* const* argv, const std::string& version) {
  return Parser{version}.parse(argc, argv);
}

}  // namespace holdfast::app
