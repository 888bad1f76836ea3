#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <app/exit_codes.hpp>
#include <app/service.hpp>
#include <app/values.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <gateway/version.hpp>
#include <mutex>
#include <store/sqlite_store.hpp>
#include <thread>
#include <upstream/factory.hpp>
#include <utility>

namespace holdfast::app {
namespace {

/// A stop takes 4 s at most, unless a disk or a name server hangs.
constexpr std::chrono::milliseconds stop_within{4'800};

Result<std::unique_ptr<upstream::Bridge>> make_bridge(net::asio::io_context& io,
                                                      const net::Url& url,
                                                      const std::string& account,
                                                      upstream::BridgeListener& listener) {
  return upstream::make_bridge(io, url, account, listener);
}

}  // namespace

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

/// Ends the process when a stop takes too long: everything that was promised is on disk already.
class Service::Deadline {
 public:
  Deadline() : thread_{[this] { wait(); }} {}
  ~Deadline() {
    {
      const std::lock_guard lock{mutex_};
      met_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  void wait() {
    std::unique_lock lock{mutex_};
    if (changed_.wait_for(lock, stop_within, [this] { return met_; })) return;
    ::_exit(exit_ok);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool met_ = false;
  std::thread thread_;  // last: it uses the rest
};

Service::Service(net::asio::io_context& io, LineWriter& lines, OnHangup on_hangup)
    : io_{io},
      lines_{lines},
      on_hangup_{on_hangup},
      event_lines_{::isatty(STDOUT_FILENO) == 1 ? TimeStyle::clock : TimeStyle::full,
                   wants_colour(STDOUT_FILENO)},
      signals_{io, SIGINT, SIGTERM, SIGHUP} {}

Service::~Service() {
  server_.reset();
  daemon_.reset();
}

std::optional<Trouble> Service::start(gateway::Config config) {
  wait_for_signal();
  const std::string data_dir = config.data_dir.string();
  const bool open_to_all = config.auth_none && !config.listen.is_local();
  auto store = store::open_sqlite_store(
      config.data_dir, store::StoreOptions{},
      [this](std::function<void()> work) { net::asio::post(io_, std::move(work)); });
  if (!store) return Trouble{exit_store, store.error().message};
  auto recovered = (*store)->recover();
  if (!recovered) return Trouble{exit_store, recovered.error().message};

  daemon_ = std::make_unique<gateway::Daemon>(io_, std::move(config), std::move(*store),
                                              std::move(*recovered), make_bridge);
  auto server = api::start_server(*daemon_);
  if (!server) return Trouble{exit_listen, server.error().message};
  server_ = std::move(*server);

  if (auto started = daemon_->start(); !started) {
    return Trouble{exit_usage, started.error().message};
  }
  lines_.line(fmt::format("Holdfast {} listens at http://{}/ and keeps messages in {}",
                          gateway::version, address().to_string(), data_dir));
  if (open_to_all) {
    say(
        fmt::format("warning: whoever reaches {} can read and send messages, because [auth] has "
                    "mode = \"none\"",
                    address().to_string()));
  }
  daemon_->events().watch(0, [this](const gateway::Event& event) {
    if (auto line = event_lines_.line(event, gateway::wall_ms())) lines_.line(std::move(*line));
  });
  return std::nullopt;
}

net::Endpoint Service::address() const {
  net::Endpoint address = daemon_->config().listen;
  if (address.kind != net::Endpoint::Kind::unix_socket) address.port = server_->port();
  return address;
}

void Service::say(std::string_view text) {
  lines_.line(event_lines_.remark(text, gateway::wall_ms()));
}

void Service::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
    if (ec) return;
    if (signal == SIGHUP && on_hangup_ == OnHangup::retry) {
      retry_all();
    } else if (deadline_ && signal == SIGINT) {
      ::_exit(exit_interrupted);
    } else {
      stop();
    }
    wait_for_signal();
  });
}

void Service::retry_all() {
  if (deadline_ || !daemon_) return;
  say("SIGHUP: attempts that wait are made now");
  for (core::LinkId link = 0; link < daemon_->links(); ++link) daemon_->retry_now(link);
}

void Service::stop() {
  if (deadline_) return;
  deadline_ = std::make_unique<Deadline>();
  say("stopping");
  net::asio::co_spawn(io_, stop_all(*this), net::asio::detached);
}

net::Task<> Service::stop_all(Service& self) {
  self.server_->stop();
  co_await self.daemon_->stop();
  self.say("stopped; everything is on disk");
  self.io_.stop();
}

}  // namespace holdfast::app
