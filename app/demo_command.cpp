#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <app/commands.hpp>
#include <app/demo_bot.hpp>
#include <app/exit_codes.hpp>
#include <app/json_view.hpp>
#include <app/line_writer.hpp>
#include <app/output.hpp>
#include <app/service.hpp>
#include <app/stand_in.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <store/sqlite_store.hpp>

namespace holdfast::app {
namespace {

constexpr const char* demo_account = "+15550001111";

/// A private directory that goes with this object.
class TemporaryDir {
 public:
  TemporaryDir() = default;
  TemporaryDir(const TemporaryDir&) = delete;
  TemporaryDir& operator=(const TemporaryDir&) = delete;
  ~TemporaryDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Result<std::filesystem::path> make() {
    std::error_code ec;
    std::filesystem::path base = std::filesystem::temp_directory_path(ec);
    if (ec) base = "/tmp";
    std::string name = (base / "holdfast-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      return Error{Errc::store_failed, fmt::format("cannot make a directory in {}: {}",
                                                   base.string(), std::strerror(errno))};
    }
    path_ = name;
    return path_;
  }

 private:
  std::filesystem::path path_;
};

bool is_free(const net::Endpoint& endpoint) {
  namespace ip = net::asio::ip;
  net::asio::io_context io;
  ip::tcp::acceptor acceptor{io, ip::tcp::v4()};
  boost::system::error_code ec;
  acceptor.set_option(net::asio::socket_base::reuse_address{true}, ec);
  acceptor.bind({ip::make_address_v4(endpoint.host), endpoint.port}, ec);
  return !ec;
}

/// How often a link that stood was lost.
class OutageCount {
 public:
  explicit OutageCount(gateway::EventLog& events) {
    events.watch(0, [this](const gateway::Event& event) {
      if (event.type != "transition") return;
      const JsonDocument document{event.json};
      const bool stood = document.root().text("from") != "RECONNECTING";
      if (stood && document.root().text("to") == "DISCONNECTED") ++count_;
    });
  }
  [[nodiscard]] std::int64_t count() const noexcept { return count_; }

 private:
  std::int64_t count_ = 0;
};

/// What came of it all, from the store's own records.
std::string summary(const std::filesystem::path& data_dir, std::int64_t outages,
                    std::int64_t lost_upstream, const DemoBot& bot) {
  const auto report = store::audit(data_dir);
  if (!report) return "the audit failed: " + report.error().message;
  std::uint64_t stored = 0;
  std::uint64_t sent = 0;
  std::uint64_t pending = 0;
  for (const auto& account : report->inbound) stored += account.stored;
  for (const auto& [state, count] : report->entries) {
    if (state == core::EntryState::sent) sent += count;
    if (!core::is_terminal(state)) pending += count;
  }
  return fmt::format(
      "{}. In: {} stored, {} given to the bot, {} lost before Holdfast. Out: {} accepted, {} sent, "
      "{} "
      "waiting. Audit: {}.",
      counted(outages, "outage"), counted(static_cast<std::int64_t>(stored), "message"),
      bot.received(), lost_upstream, counted(static_cast<std::int64_t>(report->accepted), "send"),
      sent, pending, report->problems.empty() ? "nothing is missing" : report->problems.front());
}

}  // namespace

int demo(const DemoCommand& command) {
  TemporaryDir data_dir;
  gateway::Config config;
  auto path = data_dir.make();
  if (!path) return fail(exit_store, path.error().message);
  // A store that already stands in the directory is not ours to remove; this one is.
  config.data_dir = *path / "data";
  if (command.listen) {
    config.listen = *command.listen;
  } else if (!is_free(config.listen)) {
    config.listen.port = 0;
  }
  if (!config.listen.is_local()) {
    return fail(exit_usage,
                "the demonstration listens on this machine only, such as 127.0.0.1:8090");
  }
  config.upstreams.push_back(gateway::Upstream{"sim:", *net::parse_url("sim:"), {demo_account}});

  prepare_process();
  net::asio::io_context io;
  LineWriter lines{STDOUT_FILENO};
  Service* told = nullptr;
  auto stand_in = serve_stand_in(io, config.upstreams, [&told](const std::string& fault) {
    if (told != nullptr) told->say(fault);
  });
  if (!stand_in) return fail(exit_listen, stand_in.error().message);

  std::optional<DemoBot> bot;
  std::optional<OutageCount> outages;
  {
    Service service{io, lines, OnHangup::stop};
    told = &service;
    if (const auto trouble = service.start(std::move(config))) {
      return fail(trouble->exit_code, trouble->sentence);
    }
    outages.emplace(service.daemon().events());
    lines.line(fmt::format("Open http://{}/ to watch. Nothing is kept; Ctrl-C stops.",
                           service.address().to_string()));
    bot.emplace(io, service.address(), demo_account);
    bot->start();
    net::asio::steady_timer end{io};
    if (command.stop_after) {
      end.expires_after(*command.stop_after);
      end.async_wait([&service](const boost::system::error_code& ec) {
        if (!ec) service.stop();
      });
    }
    io.run();
    told = nullptr;
  }
  lines.line(summary(*path / "data", outages->count(), lost_by(**stand_in), *bot));
  return exit_ok;
}

}  // namespace holdfast::app
