#include <api/context.hpp>
#include <api/event_queue.hpp>
#include <boost/json/serialize.hpp>
#include <gateway/snapshot.hpp>

namespace holdfast::api {
namespace {

constexpr std::chrono::seconds heartbeat_after{15};

/// One watcher.
class Watch final : public Lasting {
 public:
  Watch(ContextPtr context, std::uint64_t seen)
      : context_{std::move(context)},
        queue_{seen},
        waker_{context_->daemon->io()},
        watcher_{context_->daemon->events().watch(seen, [this](const gateway::Event& event) {
          queue_.add(event);
          waker_.wake();
        })} {
    queue_.live();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() override {
    if (context_->daemon != nullptr) context_->daemon->events().unwatch(watcher_);
  }
  void end() override {
    ended_ = true;
    waker_.wake();
  }

  static net::Task<> run(Watch& watch, std::shared_ptr<net::ResponseStream> stream,
                         std::string piece) {
    while (!watch.ended_ && !watch.queue_.overflowed()) {
      if (!piece.empty()) {
        const auto written = co_await stream->write(piece);
        if (!written) co_return;
      }
      if (watch.queue_.empty()) {
        const bool woken = co_await watch.waker_.wait_until(Clock::now() + heartbeat_after);
        piece = woken ? std::string{} : std::string{heartbeat};
      } else {
        piece = watch.queue_.take();
      }
    }
  }

 private:
  ContextPtr context_;
  EventQueue queue_;
  Waker waker_;
  bool ended_ = false;
  gateway::EventLog::WatcherId watcher_;
};

std::string last_event_id(const net::HttpRequest& request) {
  const std::string_view by_header = net::header(request.headers, "Last-Event-ID");
  return by_header.empty() ? request.query("after") : std::string{by_header};
}

}  // namespace

Handled handle_events(ContextPtr context, net::Exchange& exchange) {
  gateway::Daemon& daemon = *context->daemon;
  const auto seen = seen_before(last_event_id(exchange.request()), daemon.events().last_id());
  net::HttpResponse head;
  head.headers.emplace_back("Content-Type", "text/event-stream");
  head.headers.emplace_back("Cache-Control", "no-store");
  head.headers.emplace_back("X-Accel-Buffering", "no");
  auto started = co_await exchange.start_stream(std::move(head));
  if (!started || context->stopping) co_return std::nullopt;

  // The snapshot says how things stand; it counts as the present event only for who saw no other.
  const std::uint64_t last = daemon.events().last_id();
  const std::string now = boost::json::serialize(gateway::status_json(daemon));
  std::string snapshot = event_text(seen ? std::nullopt : std::optional{last}, "snapshot", now);
  Watch watch{context, seen.value_or(last)};
  const Enrolled enrolled{context, watch};
  co_await Watch::run(watch, *started, std::move(snapshot));
  co_return std::nullopt;
}

}  // namespace holdfast::api
