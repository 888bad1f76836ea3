/// What the handlers of the server share.
#pragma once

#include <api/guard.hpp>
#include <api/routes.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <gateway/daemon.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

namespace holdfast::api {

using Clock = std::chrono::steady_clock;
/// A handler's end: a response, or nothing where it has used its `net::Exchange`.
using Handled = net::Task<std::optional<net::HttpResponse>>;

/// An answer that lasts: a WebSocket, a poll, an event stream.
class Lasting {
 public:
  virtual ~Lasting() = default;
  /// The server stops: end soon.
  virtual void end() = 0;
};

struct Context {
  explicit Context(gateway::Daemon& of) : daemon{&of}, guard{of.config()} {}

  gateway::Daemon* daemon;  ///< null once the server has gone; then only destructors still run
  Guard guard;
  std::set<Lasting*> lasting;
  bool stopping = false;
};
using ContextPtr = std::shared_ptr<Context>;

/// Keeps a lasting answer on the server's list.
class Enrolled {
 public:
  Enrolled(ContextPtr context, Lasting& lasting)
      : context_{std::move(context)}, lasting_{&lasting} {
    context_->lasting.insert(lasting_);
  }
  Enrolled(const Enrolled&) = delete;
  Enrolled& operator=(const Enrolled&) = delete;
  ~Enrolled() { context_->lasting.erase(lasting_); }

 private:
  ContextPtr context_;
  Lasting* lasting_;
};

/// Keeps a receiver attached to its link.
class Attachment {
 public:
  Attachment(ContextPtr context, core::LinkId link, core::Window window,
             gateway::Receiver& receiver)
      : context_{std::move(context)},
        link_{link},
        client_{context_->daemon->attach(link, window, receiver)} {}
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment() {
    if (context_->daemon != nullptr) context_->daemon->detach(link_, client_);
  }
  void acknowledged(core::Seq seq) {
    if (context_->daemon != nullptr) context_->daemon->acknowledged(link_, client_, seq);
  }

 private:
  ContextPtr context_;
  core::LinkId link_;
  core::ClientId client_;
};

/// Lets one coroutine wait until it is woken or a time has come. A wake before the wait counts.
class Waker {
 public:
  explicit Waker(net::asio::io_context& io) : timer_{io} {}

  void wake() {
    woken_ = true;
    timer_.cancel();
  }
  /// Whether it was woken.
  net::Task<bool> wait_until(Clock::time_point until) {
    if (!woken_) {
      timer_.expires_at(until);
      co_await timer_.async_wait(net::as_result);
    }
    const bool woken = woken_;
    woken_ = false;
    co_return woken;
  }

 private:
  net::asio::steady_timer timer_;
  bool woken_ = false;
};

// The faces, each in a file of its own. `exchange` outlives the handler.

/// `/v2/send` and everything else that goes through the outbox. `account`: from the path, or "".
Handled handle_send(ContextPtr context, net::Exchange& exchange, Endpoint endpoint,
                    std::string account);
/// Whatever the bridge itself has to answer.
Handled handle_forward(ContextPtr context, net::Exchange& exchange);
/// `/v1/receive/{number}` as a WebSocket.
Handled handle_receive(ContextPtr context, net::Exchange& exchange, core::LinkId link);
/// The same as a plain GET.
Handled handle_poll(ContextPtr context, net::Exchange& exchange, core::LinkId link);
/// `/holdfast/v1/events`.
Handled handle_events(ContextPtr context, net::Exchange& exchange);
/// `/holdfast/v1/outbox` and `/outbox/{id}`.
Handled handle_outbox(ContextPtr context, net::Exchange& exchange);
Handled handle_outbox_entry(ContextPtr context, std::string id);

// Answers that need no waiting.
[[nodiscard]] net::HttpResponse about(const gateway::Daemon& daemon);
[[nodiscard]] net::HttpResponse status(const gateway::Daemon& daemon);
[[nodiscard]] net::HttpResponse links(const gateway::Daemon& daemon);
[[nodiscard]] net::HttpResponse link(const gateway::Daemon& daemon, const std::string& account);
[[nodiscard]] net::HttpResponse retry(gateway::Daemon& daemon, const std::string& account);
[[nodiscard]] net::HttpResponse healthz();
[[nodiscard]] net::HttpResponse readyz(const gateway::Daemon& daemon, bool with_links);

/// 404 for an account that Holdfast does not hold; tells nothing of those that it does.
[[nodiscard]] net::HttpResponse unknown_account();

}  // namespace holdfast::api
