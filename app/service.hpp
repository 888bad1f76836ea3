/// One gateway in this process, from the opened store to the clean stop: what `run` and `demo` do.
#pragma once

#include <api/server.hpp>
#include <app/event_lines.hpp>
#include <app/gateway_client.hpp>
#include <app/line_writer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <gateway/daemon.hpp>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::app {

/// What a signal that asks for something means.
enum class OnHangup {
  retry,  ///< SIGHUP: an attempt now on every link that waits
  stop,   ///< SIGHUP: the terminal is gone, so stop
};

/// Before anything else: writes to a peer that has gone are errors and no signal, and the process
/// may have as many open files as the system lets it.
void prepare_process();

/// Owner: the thread that runs `io`. Destroy it when `io` runs no more.
class Service {
 public:
  Service(net::asio::io_context& io, LineWriter& lines, OnHangup on_hangup);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Opens the store, listens, and starts every link.
  std::optional<Trouble> start(gateway::Config config);

  /// Stops as SIGTERM does: intake closes, what is in flight is settled or left durable, `io`
  /// ends. A second call, or a second signal, changes nothing but that a second Ctrl-C exits.
  void stop();

  [[nodiscard]] gateway::Daemon& daemon() { return *daemon_; }
  [[nodiscard]] net::Endpoint address() const;
  /// Adds a line of our own.
  void say(std::string_view text);

 private:
  class Deadline;
  void wait_for_signal();
  void retry_all();
  static net::Task<> stop_all(Service& self);

  net::asio::io_context& io_;
  LineWriter& lines_;
  OnHangup on_hangup_;
  EventLines event_lines_;
  net::asio::signal_set signals_;
  std::unique_ptr<Deadline> deadline_;
  std::unique_ptr<gateway::Daemon> daemon_;
  std::unique_ptr<api::Server> server_;
};

}  // namespace holdfast::app
