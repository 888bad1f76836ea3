#include <map>
#include <optional>
#include <upstream/classify.hpp>
#include <upstream/envelope.hpp>
#include <upstream/jsonrpc_bridge.hpp>
#include <upstream/rpc_connection.hpp>
#include <upstream/rpc_frames.hpp>
#include <upstream/rpc_sender.hpp>
#include <upstream/spawn.hpp>
#include <upstream/translate.hpp>
#include <upstream/words.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

constexpr std::chrono::milliseconds repeat_refused_for{250};
/// Frames after the answer to `unsubscribeReceive` that are taken for stragglers.
constexpr std::size_t stragglers_max = 8;

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

core::Failure failure(core::Reason reason, std::string evidence) {
  core::Failure told;
  told.reason = reason;
  told.evidence = std::move(evidence);
  return told;
}

/// One attempt, and the receiving connection that may come of it.
struct Receiving {
  explicit Receiving(core::Generation g) : generation{g} {}

  core::Generation generation;
  std::shared_ptr<RpcConnection> rpc;       ///< once connected
  std::optional<std::string> subscription;  ///< its id, as the daemon gave it
  std::size_t stragglers = 0;               ///< frames since the subscription was ended
  bool live = true;                         ///< events of it may be told
  bool answered = false;
  bool paused = false;
  bool streams_unasked = false;  ///< knows no `subscribeReceive`
  bool was_subscribed = false;   ///< and we ended it, to pause
  bool changing = false;         ///< a change of the subscription is under way
};
using ReceivingPtr = std::shared_ptr<Receiving>;

/// What the bridge and its coroutines share.
class RpcCore : public std::enable_shared_from_this<RpcCore> {
 public:
  using Self = std::shared_ptr<RpcCore>;

  RpcCore(net::asio::io_context& io, net::Url url, std::string account, BridgeListener& listener,
          BridgeTimes times)
      : io_{io},
        endpoint_{std::move(url.endpoint)},
        account_{std::move(account)},
        listener_{&listener},
        times_{times} {}

  /// Second half of construction: the sender tells us about itself.
  void begin() {
    sender_ = std::make_shared<RpcSender>(
        io_, endpoint_, times_, [weak = weak_from_this()](bool ok, std::string evidence) {
          const auto self = weak.lock();
          if (self && self->listener_) self->listener_->on_send_health(ok, std::move(evidence));
        });
  }

  void dial(core::Generation generation, bool repeat_refused) {
    if (stopped_) return;
    const auto receiving = std::make_shared<Receiving>(generation);
    receivings_[generation] = receiving;
    spawn(io_, [self = shared_from_this(), receiving, repeat_refused] {
      return attempt(self, receiving, repeat_refused);
    });
  }

  void hang_up(core::Generation generation) {
    if (const auto receiving = find(generation)) retire(receiving);
  }

  void identify(core::Generation generation) {
    const auto receiving = find(generation);
    if (!receiving || !receiving->rpc) return;
    receiving->rpc->call(RpcCall{"listAccounts", "{}"}, times_.answer_within,
                         [self = shared_from_this(), receiving](const RpcAnswer& answer) {
                           if (receiving->live) self->identified(receiving, answer);
                         });
  }

  void subscribe(core::Generation generation) {
    const auto receiving = find(generation);
    if (receiving && receiving->rpc) ask_subscription(receiving, true);
  }

  void pause(core::Generation generation) {
    const auto receiving = find(generation);
    if (!receiving || std::exchange(receiving->paused, true)) return;
    if (receiving->streams_unasked) receiving->rpc->stop_reading();
    settle_subscription(receiving);
  }

  void resume(core::Generation generation) {
    const auto receiving = find(generation);
    if (!receiving || !std::exchange(receiving->paused, false)) return;
    if (receiving->rpc) receiving->rpc->go_on_reading();
    settle_subscription(receiving);
  }

  void probe(core::Generation generation) {
    const auto receiving = find(generation);
    if (!receiving || !receiving->rpc) return;
    sender_->nudge();
    if (!receiving->rpc->reading_stopped()) return receiving->rpc->ask_for_life();
    net::asio::post(io_, [self = shared_from_this(), receiving] {
      if (receiving->live) self->listener_->on_activity(receiving->generation);
    });
  }

  void transmit(const core::Entry& entry, const std::string& body) {
    auto call = translate_entry(entry, body);
    if (!call) {
      net::asio::post(
          io_, [self = shared_from_this(), seq = entry.seq, outcome = refused_call(call.error())] {
            if (self->listener_) self->listener_->on_outcome(seq, outcome);
          });
      return;
    }
    sender_->call(std::move(*call), times_.send_within,
                  [self = shared_from_this(), seq = entry.seq,
                   sending = sending_of(entry)](const RpcAnswer& answer) {
                    if (!self->listener_) return;
                    self->listener_->on_outcome(seq, outcome_of(answer, sending));
                  });
  }

  void stop() {
    stopped_ = true;
    while (!receivings_.empty()) retire(receivings_.begin()->second);
    sender_->stop();
  }

  /// No event from here on: the listener may be gone.
  void abandon() {
    stop();
    listener_ = nullptr;
  }

  static net::Task<net::HttpResponse> forward(Self self, net::HttpRequest request);

 private:
  static net::Task<> attempt(Self self, ReceivingPtr receiving, bool repeat_refused);

  [[nodiscard]] ReceivingPtr find(core::Generation generation) const {
    const auto found = receivings_.find(generation);
    return found == receivings_.end() ? nullptr : found->second;
  }

  void retire(ReceivingPtr receiving) {
    receivings_.erase(receiving->generation);
    receiving->live = false;
    if (receiving->rpc) receiving->rpc->close();
    for (const auto& [generation, other] : receivings_) {
      if (other->answered) return;
    }
    sender_->let_go();
  }

  void lose(const ReceivingPtr& receiving, core::Failure why) {
    if (!receiving->live) return;
    retire(receiving);
    listener_->on_lost(receiving->generation, std::move(why));
  }

  static core::SendOutcome outcome_of(const RpcAnswer& answer, const Sending& sending) {
    switch (answer.kind) {
      case RpcAnswer::Kind::result:
        return classify_rpc_result(answer.json, sending);
      case RpcAnswer::Kind::error:
        return classify_rpc_error(answer.json, sending);
      case RpcAnswer::Kind::not_written:
        return not_sent(answer.why);
      case RpcAnswer::Kind::lost:
        return ambiguous("the connection was lost before the answer came");
      case RpcAnswer::Kind::timed_out:
        break;
    }
    return ambiguous("no answer to the send within 120 s");
  }

  [[nodiscard]] RpcConnection::Hooks hooks_of(const ReceivingPtr& receiving);
  void notified(const ReceivingPtr& receiving, std::string_view method, std::string_view params);
  void garbage(const ReceivingPtr& receiving, std::string line);
  void identified(const ReceivingPtr& receiving, const RpcAnswer& answer);
  void ask_subscription(const ReceivingPtr& receiving, bool first);
  void subscribed(const ReceivingPtr& receiving, const RpcAnswer& answer, bool first);
  void settle_subscription(const ReceivingPtr& receiving);

  net::asio::io_context& io_;
  net::Endpoint endpoint_;
  std::string account_;
  BridgeListener* listener_;
  BridgeTimes times_;
  std::shared_ptr<RpcSender> sender_;
  FrameSerials serials_;
  std::map<core::Generation, ReceivingPtr> receivings_;
  bool stopped_ = false;
};

// --- An attempt ---------------------------------------------------------------------------------

net::Task<> RpcCore::attempt(Self self, ReceivingPtr receiving, bool repeat_refused) {
  const auto deadline = SteadyClock::now() + self->times_.answer_within;
  net::ConnectOptions options;
  options.timeout = self->times_.answer_within;
  if (repeat_refused) options.repeat_refused_for = repeat_refused_for;
  auto stream = co_await net::connect_lines(self->endpoint_, options);
  if (!receiving->live) co_return;
  if (!stream) {
    self->lose(receiving, failure_of(stream.error(), self->endpoint_, {}));
    co_return;
  }
  receiving->rpc =
      std::make_shared<RpcConnection>(self->io_, std::move(*stream), self->hooks_of(receiving));
  receiving->rpc->start();
  RpcCall question{"version", "{}"};
  const RpcAnswer answer =
      co_await ask(self->io_, receiving->rpc, std::move(question), time_left(deadline));
  if (!receiving->live) co_return;
  if (answer.kind != RpcAnswer::Kind::result && answer.kind != RpcAnswer::Kind::error) {
    self->lose(receiving, failure(core::Reason::timed_out, "no answer to version within 10 s"));
    co_return;
  }
  receiving->answered = true;
  self->sender_->want();
  std::string version =
      answer.kind == RpcAnswer::Kind::result ? version_in(answer.json) : std::string{};
  self->listener_->on_answered(receiving->generation, std::move(version));
}

RpcConnection::Hooks RpcCore::hooks_of(const ReceivingPtr& receiving) {
  // The connection is held by `receiving`, so its hooks must not hold that.
  const std::weak_ptr<RpcCore> weak_self = weak_from_this();
  const std::weak_ptr<Receiving> weak = receiving;
  const auto here = [weak_self, weak](auto act) {
    const auto self = weak_self.lock();
    const auto receiving_here = weak.lock();
    if (self && receiving_here && receiving_here->live) act(*self, receiving_here);
  };
  RpcConnection::Hooks hooks;
  hooks.on_activity = [here] {
    here(
        [](RpcCore& self, const ReceivingPtr& at) { self.listener_->on_activity(at->generation); });
  };
  hooks.on_notification = [here](std::string_view method, std::string_view params) {
    here([&](RpcCore& self, const ReceivingPtr& at) { self.notified(at, method, params); });
  };
  hooks.on_garbage = [here](std::string line) {
    here([&](RpcCore& self, const ReceivingPtr& at) { self.garbage(at, std::move(line)); });
  };
  hooks.on_closed = [here](const Error& error) {
    here([&](RpcCore& self, const ReceivingPtr& at) {
      self.lose(at, failure_of(error, self.endpoint_, at->answered ? "" : "version"));
    });
  };
  return hooks;
}

// --- Receiving ----------------------------------------------------------------------------------

void RpcCore::notified(const ReceivingPtr& receiving, std::string_view method,
                       std::string_view params) {
  if (method != "receive") return;
  const std::string_view frame = frame_in(params);
  if (!is_for(frame, account_)) return;
  const bool ended = receiving->was_subscribed && !receiving->subscription && !receiving->changing;
  if (receiving->paused && ended && ++receiving->stragglers > stragglers_max) {
    receiving->rpc->stop_reading();
  }
  listener_->on_frame(receiving->generation,
                      make_frame(std::string{frame}, serials_.next(), wall_ms()));
}

void RpcCore::garbage(const ReceivingPtr& receiving, std::string line) {
  listener_->on_frame(receiving->generation,
                      make_frame(std::move(line), serials_.next(), wall_ms()));
}

void RpcCore::identified(const ReceivingPtr& receiving, const RpcAnswer& answer) {
  constexpr std::int64_t no_such_method = -32601;  // a daemon that was started for one account
  std::string note;
  if (answer.kind == RpcAnswer::Kind::result) {
    note = listed_note(answer.json, account_);
  } else if (answer.kind == RpcAnswer::Kind::error) {
    if (error_code_of(answer.json) != no_such_method) {
      note = "signal-cli could not list its accounts: " + bridge_words(answer.json);
    }
  } else {
    note = "signal-cli did not list its accounts: " + answer.why;
  }
  listener_->on_identified(receiving->generation, std::move(note));
}

void RpcCore::ask_subscription(const ReceivingPtr& receiving, bool first) {
  receiving->changing = true;
  receiving->rpc->call(RpcCall{"subscribeReceive", account_params(account_)}, times_.answer_within,
                       [self = shared_from_this(), receiving, first](const RpcAnswer& answer) {
                         receiving->changing = false;
                         if (receiving->live) self->subscribed(receiving, answer, first);
                       });
}

void RpcCore::subscribed(const ReceivingPtr& receiving, const RpcAnswer& answer, bool first) {
  switch (answer.kind) {
    case RpcAnswer::Kind::result:
      receiving->subscription = answer.json;
      receiving->stragglers = 0;
      break;
    case RpcAnswer::Kind::error: {
      const std::int64_t code = error_code_of(answer.json);
      if (code == -32602) {
        return lose(receiving,
                    failure(core::Reason::account,
                            "signal-cli does not know this account; register or link it there, or "
                            "restart signal-cli if it was started without network"));
      }
      if (code != -32601) {
        return lose(receiving, failure(core::Reason::protocol, "signal-cli refused to subscribe: " +
                                                                   bridge_words(answer.json)));
      }
      receiving->streams_unasked = true;
      break;
    }
    case RpcAnswer::Kind::timed_out:
    case RpcAnswer::Kind::not_written:
      return lose(receiving,
                  failure(core::Reason::timed_out, "no answer to subscribeReceive within 10 s"));
    case RpcAnswer::Kind::lost:
      return;  // the end of the connection says it
  }
  if (receiving->paused && receiving->streams_unasked) receiving->rpc->stop_reading();
  if (first) listener_->on_subscribed(receiving->generation);
  if (receiving->live) settle_subscription(receiving);
}

/// Brings the subscription to what `paused` says, one change at a time.
void RpcCore::settle_subscription(const ReceivingPtr& receiving) {
  if (receiving->changing || receiving->streams_unasked) return;
  if (!receiving->paused) {
    // Without an id there was none yet (the link subscribes when it is ready to), or we ended it.
    if (receiving->was_subscribed && !receiving->subscription) ask_subscription(receiving, false);
    return;
  }
  if (!receiving->subscription) return;
  receiving->changing = true;
  receiving->was_subscribed = true;
  RpcCall call{"unsubscribeReceive", R"({"subscription":)" + *receiving->subscription + "}"};
  receiving->rpc->call(std::move(call), times_.answer_within,
                       [self = shared_from_this(), receiving](const RpcAnswer&) {
                         // An error says that there was none: the same to us.
                         receiving->changing = false;
                         receiving->subscription.reset();
                         receiving->stragglers = 0;
                         if (receiving->live) self->settle_subscription(receiving);
                       });
}

// --- Requests of the compatible face ------------------------------------------------------------

net::Task<net::HttpResponse> RpcCore::forward(Self self, net::HttpRequest request) {
  Forward planned = plan_forward(request, self->account_);
  if (!planned.plan) co_return std::move(planned.refusal);
  const ForwardPlan plan = std::move(*planned.plan);
  const auto question = std::make_shared<Question>(self->io_);
  self->sender_->call(plan.call, self->times_.forward_within,
                      [question](RpcAnswer answer) { question->answered(std::move(answer)); });
  const RpcAnswer answer = co_await question->wait();
  switch (answer.kind) {
    case RpcAnswer::Kind::result:
      co_return forward_result(plan, answer.json);
    case RpcAnswer::Kind::error:
      co_return forward_error(plan, answer.json);
    case RpcAnswer::Kind::timed_out:
      co_return json_error(504, "timed_out", "signal-cli did not answer within 60 s");
    case RpcAnswer::Kind::not_written:
    case RpcAnswer::Kind::lost:
      break;
  }
  net::HttpResponse away = json_error(503, "unavailable", "the bridge is away: " + answer.why);
  away.headers.emplace_back("Retry-After", "5");
  co_return away;
}

/// Ends with its owner; what it shares with its coroutines ends with them.
class JsonRpcBridge final : public Bridge {
 public:
  JsonRpcBridge(net::asio::io_context& io, net::Url url, std::string account,
                BridgeListener& listener, BridgeTimes times)
      : core_{std::make_shared<RpcCore>(io, std::move(url), std::move(account), listener, times)} {
    core_->begin();
  }
  JsonRpcBridge(const JsonRpcBridge&) = delete;
  JsonRpcBridge& operator=(const JsonRpcBridge&) = delete;
  ~JsonRpcBridge() override { core_->abandon(); }

  void dial(core::Generation generation, bool repeat_refused) override {
    core_->dial(generation, repeat_refused);
  }
  void hang_up(core::Generation generation) override { core_->hang_up(generation); }
  void identify(core::Generation generation) override { core_->identify(generation); }
  void subscribe(core::Generation generation) override { core_->subscribe(generation); }
  void pause(core::Generation generation) override { core_->pause(generation); }
  void resume(core::Generation generation) override { core_->resume(generation); }
  void probe(core::Generation generation) override { core_->probe(generation); }
  void transmit(core::Entry entry, std::string body) override { core_->transmit(entry, body); }
  net::Task<net::HttpResponse> forward(net::HttpRequest request) override {
    return RpcCore::forward(core_, std::move(request));
  }
  void stop() override { core_->stop(); }

 private:
  std::shared_ptr<RpcCore> core_;
};

}  // namespace

std::unique_ptr<Bridge> make_jsonrpc_bridge(net::asio::io_context& io, net::Url url,
                                            std::string account, BridgeListener& listener,
                                            BridgeTimes times) {
  return std::make_unique<JsonRpcBridge>(io, std::move(url), std::move(account), listener, times);
}

}  // namespace holdfast::upstream
