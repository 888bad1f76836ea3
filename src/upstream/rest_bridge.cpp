#include <deque>
#include <map>
#include <optional>
#include <upstream/classify.hpp>
#include <upstream/envelope.hpp>
#include <upstream/rest_bridge.hpp>
#include <upstream/rest_calls.hpp>
#include <upstream/spawn.hpp>
#include <upstream/translate.hpp>
#include <upstream/words.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

constexpr std::chrono::milliseconds refused_pause{25};
constexpr std::chrono::milliseconds repeat_refused_for{250};
constexpr std::size_t calls_max = 16;

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// One attempt, and the connection that may come of it.
struct Connection {
  Connection(net::asio::io_context& io, core::Generation g, const net::Endpoint& endpoint)
      : generation{g}, http{endpoint}, changed{io} {}

  core::Generation generation;
  net::HttpClient http;  ///< for the questions of the attempt
  net::WebSocketPtr ws;  ///< the stream, once it is open
  Change changed;        ///< `paused` or `live` changed
  bool live = true;      ///< events of it may be told
  bool paused = false;
  bool pinging = false;
  std::optional<std::string> accounts;  ///< the note of the attempt's own `/v1/accounts`
};
using ConnectionPtr = std::shared_ptr<Connection>;

/// A send that waits for its turn or is under way.
struct Job {
  Job(core::Seq e, Sending s, net::HttpRequest r) : entry{e}, sending{s}, request{std::move(r)} {}
  core::Seq entry;
  Sending sending;
  net::HttpRequest request;
};

/// What the bridge and its coroutines share.
class RestCore : public std::enable_shared_from_this<RestCore> {
 public:
  using Self = std::shared_ptr<RestCore>;

  RestCore(net::asio::io_context& io, net::Url url, std::string account, BridgeListener& listener,
           BridgeTimes times)
      : io_{io},
        endpoint_{url.endpoint},
        prefix_{std::move(url.path)},
        account_{std::move(account)},
        listener_{&listener},
        times_{times},
        sends_{endpoint_},
        proxied_{endpoint_} {}

  void dial(core::Generation generation, bool repeat_refused) {
    if (stopped_) return;
    auto connection = std::make_shared<Connection>(io_, generation, endpoint_);
    connections_[generation] = connection;
    spawn(io_, [self = shared_from_this(), connection, repeat_refused] {
      return attempt(self, connection, repeat_refused);
    });
  }

  void hang_up(core::Generation generation) {
    if (const auto connection = find(generation)) retire(connection);
  }

  void identify(core::Generation generation) {
    const auto connection = find(generation);
    if (!connection) return;
    spawn(io_, [self = shared_from_this(), connection] { return identify(self, connection); });
  }

  void subscribe(core::Generation generation) {
    const auto connection = find(generation);
    if (!connection) return;
    net::asio::post(io_, [self = shared_from_this(), connection] {
      if (connection->live) self->listener_->on_subscribed(connection->generation);
    });
  }

  void set_paused(core::Generation generation, bool paused) {
    const auto connection = find(generation);
    if (!connection) return;
    connection->paused = paused;
    connection->changed.notify();
  }

  void probe(core::Generation generation) {
    const auto connection = find(generation);
    if (!connection || connection->pinging) return;
    connection->pinging = true;
    spawn(io_, [self = shared_from_this(), connection] { return ping(self, connection); });
  }

  void transmit(const core::Entry& entry, const std::string& body) {
    if (stopped_) return tell(entry.seq, not_sent("Holdfast is stopping"));
    auto request = rest_request(entry, body, prefix_);
    if (!request) return tell(entry.seq, refused_call(request.error()));
    waiting_.emplace_back(entry.seq, sending_of(entry), std::move(*request));
    pump();
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    while (!connections_.empty()) retire(connections_.begin()->second);
    for (const Job& job : std::exchange(waiting_, {})) {
      tell(job.entry, not_sent("Holdfast is stopping"));
    }
    // Calls under way end now and say themselves how far they got.
    sends_.close();
    proxied_.close();
  }

  /// No event from here on: the listener may be gone.
  void abandon() {
    stop();
    listener_ = nullptr;
  }

  static net::Task<net::HttpResponse> forward(Self self, net::HttpRequest request);

 private:
  static net::Task<> attempt(Self self, ConnectionPtr connection, bool repeat_refused);
  static net::Task<bool> ask_about(Self self, ConnectionPtr connection, bool repeat_refused,
                                   SteadyClock::time_point deadline, std::string* version);
  static net::Task<bool> open_stream(Self self, ConnectionPtr connection,
                                     SteadyClock::time_point deadline);
  static net::Task<bool> ask_accounts(Self self, ConnectionPtr connection,
                                      SteadyClock::time_point deadline);
  static net::Task<> read(Self self, ConnectionPtr connection);
  static net::Task<> identify(Self self, ConnectionPtr connection);
  static net::Task<> ping(Self self, ConnectionPtr connection);
  static net::Task<> call(Self self, Job job);

  [[nodiscard]] ConnectionPtr find(core::Generation generation) const {
    const auto found = connections_.find(generation);
    return found == connections_.end() ? nullptr : found->second;
  }

  void retire(ConnectionPtr connection) {
    connections_.erase(connection->generation);
    connection->live = false;
    connection->http.close();
    if (connection->ws) connection->ws->abort();
    connection->changed.notify();
  }

  void lose(const ConnectionPtr& connection, core::Failure failure) {
    if (!connection->live) return;
    retire(connection);
    listener_->on_lost(connection->generation, std::move(failure));
  }

  void listen_to(const ConnectionPtr& connection) {
    connection->ws->on_activity = [weak_self = weak_from_this(), weak = std::weak_ptr{connection}] {
      const auto self = weak_self.lock();
      const auto here = weak.lock();
      if (self && here && here->live) self->listener_->on_activity(here->generation);
    };
  }

  void pump() {
    while (calls_ < calls_max && !waiting_.empty()) {
      ++calls_;
      auto job = std::make_shared<Job>(std::move(waiting_.front()));
      waiting_.pop_front();
      spawn(io_, [self = shared_from_this(), job] { return call(self, std::move(*job)); });
    }
  }

  /// From inside a call of the gateway: not at once.
  void tell(core::Seq entry, core::SendOutcome outcome) {
    net::asio::post(io_, [self = shared_from_this(), entry, outcome = std::move(outcome)] {
      if (self->listener_) self->listener_->on_outcome(entry, outcome);
    });
  }

  void tell_health(bool ok, std::string evidence) {
    if (!listener_ || stopped_ || send_ok_ == ok) return;
    send_ok_ = ok;
    listener_->on_send_health(ok, std::move(evidence));
  }

  [[nodiscard]] std::string unreached(const Error& error) const {
    return failure_of(error, endpoint_, {}).evidence;
  }

  net::asio::io_context& io_;
  net::Endpoint endpoint_;
  std::string prefix_;
  std::string account_;
  BridgeListener* listener_;
  BridgeTimes times_;
  net::HttpClient sends_;
  net::HttpClient proxied_;
  FrameSerials serials_;
  std::map<core::Generation, ConnectionPtr> connections_;
  std::deque<Job> waiting_;
  std::size_t calls_ = 0;
  std::optional<bool> send_ok_;
  bool stopped_ = false;
};

// --- An attempt ---------------------------------------------------------------------------------

net::Task<> RestCore::attempt(Self self, ConnectionPtr connection, bool repeat_refused) {
  const auto deadline = SteadyClock::now() + self->times_.answer_within;
  std::string version;
  const bool welcome = co_await ask_about(self, connection, repeat_refused, deadline, &version);
  if (!welcome) co_return;
  const bool open = co_await open_stream(self, connection, deadline);
  if (!open) co_return;
  spawn(self->io_, [self, connection] { return read(self, connection); });
  const bool answered = co_await ask_accounts(self, connection, deadline);
  if (!answered) co_return;
  self->listener_->on_answered(connection->generation, std::move(version));
  if (connection->live) self->tell_health(true, "the bridge answers");
}

net::Task<bool> RestCore::ask_about(Self self, ConnectionPtr connection, bool repeat_refused,
                                    SteadyClock::time_point deadline, std::string* version) {
  const auto repeat_until = SteadyClock::now() + repeat_refused_for;
  for (;;) {
    net::HttpFailure failure;
    net::HttpRequest request = get_request(self->prefix_ + "/v1/about");
    auto answer = co_await connection->http.call(std::move(request), time_left(deadline), &failure);
    if (!connection->live) co_return false;
    if (!answer) {
      const bool unreached = failure.progress == net::RequestProgress::nothing_written;
      const bool again = repeat_refused && unreached && failure.error.code == Errc::refused &&
                         SteadyClock::now() + refused_pause <= repeat_until;
      if (again) {
        co_await pause_for(self->io_, refused_pause);
        if (!connection->live) co_return false;
        continue;
      }
      self->lose(connection,
                 failure_of(failure.error, self->endpoint_, unreached ? "" : "/v1/about"));
      co_return false;
    }
    if (auto refused = refused_about(*answer, std::chrono::system_clock::now())) {
      self->lose(connection, std::move(*refused));
      co_return false;
    }
    const auto about = answer->status == 200 ? parse_about(answer->body) : std::nullopt;
    if (about && !streams(about->mode)) {
      core::Failure failed;
      failed.reason = core::Reason::bridge_mode;
      failed.evidence = "the bridge runs in MODE=" + about->mode +
                        ", which has no stream of messages; start it with MODE=json-rpc";
      self->lose(connection, std::move(failed));
      co_return false;
    }
    if (about) *version = about->version;
    co_return true;
  }
}

net::Task<bool> RestCore::open_stream(Self self, ConnectionPtr connection,
                                      SteadyClock::time_point deadline) {
  net::WebSocketOptions options;
  options.connect.timeout = time_left(deadline);
  options.target = self->prefix_ + "/v1/receive/" + net::percent_encode(self->account_);
  net::HandshakeFailure refused;
  auto ws = co_await net::open_websocket(self->endpoint_, std::move(options), &refused);
  if (!connection->live) co_return false;
  if (!ws) {
    self->lose(connection,
               refused_handshake(refused, self->endpoint_, std::chrono::system_clock::now()));
    co_return false;
  }
  connection->ws = std::move(*ws);
  self->listen_to(connection);
  co_return true;
}

net::Task<bool> RestCore::ask_accounts(Self self, ConnectionPtr connection,
                                       SteadyClock::time_point deadline) {
  net::HttpFailure failure;
  net::HttpRequest request = get_request(self->prefix_ + "/v1/accounts");
  auto answer = co_await connection->http.call(std::move(request), time_left(deadline), &failure);
  if (!connection->live) co_return false;
  if (!answer) {
    self->lose(connection, failure_of(failure.error, self->endpoint_, "/v1/accounts"));
    co_return false;
  }
  connection->accounts = accounts_note(answer->status, answer->body, self->account_);
  co_return true;
}

// --- While it stands ----------------------------------------------------------------------------

net::Task<> RestCore::read(Self self, ConnectionPtr connection) {
  while (connection->live) {
    if (connection->paused) {
      co_await connection->changed.wait();
      continue;
    }
    auto message = co_await connection->ws->read();
    if (!connection->live) co_return;
    if (!message) {
      core::Failure failure = failure_of(message.error(), self->endpoint_, {});
      if (failure.reason == core::Reason::closed) {
        failure.evidence =
            peer_name(self->endpoint_) + " closed the stream: " + one_line(message.error().message);
      }
      self->lose(connection, std::move(failure));
      co_return;
    }
    self->listener_->on_frame(connection->generation,
                              make_frame(std::move(*message), self->serials_.next(), wall_ms()));
  }
}

net::Task<> RestCore::identify(Self self, ConnectionPtr connection) {
  if (!connection->live) co_return;
  auto note = std::exchange(connection->accounts, std::nullopt);
  if (!note) {
    net::HttpRequest request = get_request(self->prefix_ + "/v1/accounts");
    auto answer = co_await connection->http.call(std::move(request), self->times_.answer_within);
    if (!connection->live) co_return;
    note = answer ? accounts_note(answer->status, answer->body, self->account_)
                  : failure_of(answer.error(), self->endpoint_, "/v1/accounts").evidence;
  }
  self->listener_->on_identified(connection->generation, std::move(*note));
}

net::Task<> RestCore::ping(Self self, ConnectionPtr connection) {
  if (connection->live && connection->paused) {
    self->listener_->on_activity(connection->generation);
  } else if (connection->live && connection->ws) {
    // A failure shows in the reader.
    (void)co_await connection->ws->ping({});
  }
  connection->pinging = false;
}

// --- Sending ------------------------------------------------------------------------------------

net::Task<> RestCore::call(Self self, Job job) {
  net::HttpFailure failure;
  auto answer =
      co_await self->sends_.call(std::move(job.request), self->times_.send_within, &failure, true);
  --self->calls_;
  core::SendOutcome outcome;
  if (answer) {
    RestAnswer given;
    given.status = answer->status;
    given.body = answer->body;
    given.retry_after = parse_retry_after(net::header(answer->headers, "Retry-After"),
                                          std::chrono::system_clock::now());
    outcome = classify_rest(given, job.sending);
    self->tell_health(true, "the bridge answers");
  } else if (failure.progress == net::RequestProgress::nothing_written) {
    outcome = not_sent(self->unreached(failure.error));
    self->tell_health(false, outcome.why);
  } else if (failure.error.code == Errc::timed_out) {
    outcome = ambiguous("no answer to the send within 120 s");
    self->tell_health(false, outcome.why);
  } else {
    outcome = ambiguous("the connection was lost before the answer came");
    self->tell_health(false, outcome.why);
  }
  if (self->listener_) self->listener_->on_outcome(job.entry, std::move(outcome));
  self->pump();
}

net::Task<net::HttpResponse> RestCore::forward(Self self, net::HttpRequest request) {
  request.headers = end_to_end(request.headers);
  request.target = self->prefix_ + request.target;
  const bool fresh = request.method != "GET" && request.method != "HEAD";
  net::HttpFailure failure;
  auto answer = co_await self->proxied_.call(std::move(request), self->times_.forward_within,
                                             &failure, fresh);
  if (answer) {
    answer->headers = end_to_end(answer->headers);
    co_return std::move(*answer);
  }
  const bool unreached = failure.progress == net::RequestProgress::nothing_written;
  if (!unreached && failure.error.code == Errc::timed_out) {
    co_return json_error(504, "timed_out", "the bridge did not answer within 60 s");
  }
  if (!unreached && fresh) {
    co_return json_error(502, "closed", "the connection was lost before the bridge answered");
  }
  const core::Failure why = failure_of(failure.error, self->endpoint_, {});
  net::HttpResponse away = json_error(503, "unavailable", "the bridge is away: " + why.evidence);
  away.headers.emplace_back("Retry-After", "5");
  co_return away;
}

/// Ends with its owner; what it shares with its coroutines ends with them.
class RestBridge final : public Bridge {
 public:
  RestBridge(net::asio::io_context& io, net::Url url, std::string account, BridgeListener& listener,
             BridgeTimes times)
      : core_{std::make_shared<RestCore>(io, std::move(url), std::move(account), listener, times)} {
  }
  RestBridge(const RestBridge&) = delete;
  RestBridge& operator=(const RestBridge&) = delete;
  ~RestBridge() override { core_->abandon(); }

  void dial(core::Generation generation, bool repeat_refused) override {
    core_->dial(generation, repeat_refused);
  }
  void hang_up(core::Generation generation) override { core_->hang_up(generation); }
  void identify(core::Generation generation) override { core_->identify(generation); }
  void subscribe(core::Generation generation) override { core_->subscribe(generation); }
  void pause(core::Generation generation) override { core_->set_paused(generation, true); }
  void resume(core::Generation generation) override { core_->set_paused(generation, false); }
  void probe(core::Generation generation) override { core_->probe(generation); }
  void transmit(core::Entry entry, std::string body) override { core_->transmit(entry, body); }
  net::Task<net::HttpResponse> forward(net::HttpRequest request) override {
    return RestCore::forward(core_, std::move(request));
  }
  void stop() override { core_->stop(); }

 private:
  std::shared_ptr<RestCore> core_;
};

}  // namespace

std::unique_ptr<Bridge> make_rest_bridge(net::asio::io_context& io, net::Url url,
                                         std::string account, BridgeListener& listener,
                                         BridgeTimes times) {
  return std::make_unique<RestBridge>(io, std::move(url), std::move(account), listener, times);
}

}  // namespace holdfast::upstream
