#include <random>
#include <upstream/rpc_sender.hpp>
#include <upstream/words.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

RpcCall version_call() { return RpcCall{"version", "{}"}; }

}  // namespace

RpcSender::RpcSender(net::asio::io_context& io, net::Endpoint endpoint, BridgeTimes times,
                     OnHealth on_health)
    : io_{io},
      endpoint_{std::move(endpoint)},
      times_{times},
      on_health_{std::move(on_health)},
      rng_{std::random_device{}()},
      timer_{io} {}

void RpcSender::want() {
  if (stopped_) return;
  wanted_ = true;
  if (!running_) {
    running_ = attempting_ = true;
    manager_ = ReconnectionManager{};
    hurry_ = true;
    spawn(io_, [self = shared_from_this()] { return run(self); });
  } else if (!up_ && !attempting_) {
    attempting_ = hurry_ = true;
    timer_.cancel();
  }
}

void RpcSender::let_go() {
  wanted_ = false;
  if (up_) return;
  why_down_ = "the bridge is away";
  timer_.cancel();
}

void RpcSender::nudge() {
  if (!up_) return;
  const auto quiet_since = connection_->last_life_at();
  if (SteadyClock::now() - quiet_since < times_.quiet_min) return;
  nudged_ = true;
  timer_.cancel();
}

void RpcSender::stop() {
  if (std::exchange(stopped_, true)) return;
  wanted_ = false;
  timer_.cancel();
  if (connection_) connection_->close();
  went_down("Holdfast is stopping");
}

void RpcSender::call(RpcCall request, std::chrono::milliseconds timeout, RpcConnection::Done done) {
  if (up_) {
    connection_->call(std::move(request), timeout, std::move(done));
  } else if (attempting_ && wanted_) {
    Waiting waiting;
    waiting.request = std::move(request);
    waiting.timeout = timeout;
    waiting.done = std::move(done);
    waiting_.push_back(std::move(waiting));
  } else {
    RpcAnswer answer;
    answer.why = why_down_;
    net::asio::post(io_, [done = std::move(done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }
}

net::Task<> RpcSender::run(std::shared_ptr<RpcSender> self) {
  while (self->wanted_) {
    self->manager_.transition(ConnectionState::reconnecting);
    co_await wait_for_turn(self);
    if (!self->wanted_) break;
    self->attempting_ = true;
    const bool connected = co_await connect(self);
    self->attempting_ = false;
    if (connected) {
      self->manager_.transition(ConnectionState::connected);
      self->up_ = true;
      self->flush();
      self->on_health_(true, "the bridge answers on the sending connection");
      co_await keep(self);
    }
    self->manager_.transition(ConnectionState::disconnected);
    if (self->connection_) self->connection_->close();
    self->connection_.reset();
    self->went_down(self->why_down_);
    if (!self->stopped_) self->on_health_(false, self->why_down_);
  }
  self->running_ = self->attempting_ = false;
  self->went_down(self->why_down_);
}

net::Task<> RpcSender::wait_for_turn(std::shared_ptr<RpcSender> self) {
  if (std::exchange(self->hurry_, false)) co_return;
  self->timer_.expires_after(self->jitter_.apply(self->manager_.calculate_backoff(), self->rng_));
  (void)co_await self->timer_.async_wait(net::as_result);
  self->hurry_ = false;
}

net::Task<bool> RpcSender::connect(std::shared_ptr<RpcSender> self) {
  const auto deadline = SteadyClock::now() + self->times_.answer_within;
  net::ConnectOptions options;
  options.timeout = self->times_.answer_within;
  auto stream = co_await net::connect_lines(self->endpoint_, options);
  if (!stream) {
    self->why_down_ = failure_of(stream.error(), self->endpoint_, {}).evidence;
    co_return false;
  }
  if (!self->wanted_) {
    (*stream)->close();
    co_return false;
  }
  self->connection_ = std::make_shared<RpcConnection>(self->io_, std::move(*stream), self->hooks());
  self->connection_->start();
  RpcCall question = version_call();
  const RpcAnswer answer =
      co_await ask(self->io_, self->connection_, std::move(question), time_left(deadline));
  if (answer.kind == RpcAnswer::Kind::result || answer.kind == RpcAnswer::Kind::error) {
    co_return self->wanted_;
  }
  if (answer.kind == RpcAnswer::Kind::timed_out)
    self->why_down_ = "no answer to version within 10 s";
  co_return false;
}

net::Task<> RpcSender::keep(std::shared_ptr<RpcSender> self) {
  const std::shared_ptr<RpcConnection> connection = self->connection_;
  while (connection->is_open()) {
    const auto look_at = connection->last_life_at() + self->times_.silence_max;
    if (!std::exchange(self->nudged_, false) && SteadyClock::now() < look_at) {
      self->timer_.expires_at(look_at);
      (void)co_await self->timer_.async_wait(net::as_result);
      continue;
    }
    const auto asked_at = SteadyClock::now();
    RpcCall question = version_call();
    const RpcAnswer answer =
        co_await ask(self->io_, connection, std::move(question), self->times_.answer_within);
    const bool silent =
        answer.kind == RpcAnswer::Kind::timed_out || answer.kind == RpcAnswer::Kind::not_written;
    if (connection->is_open() && silent && connection->last_life_at() < asked_at) {
      self->why_down_ = "no answer to version within 10 s";
      co_return;
    }
  }
}

RpcConnection::Hooks RpcSender::hooks() {
  RpcConnection::Hooks hooks;
  hooks.on_closed = [weak = weak_from_this()](const Error& error) {
    const auto self = weak.lock();
    if (!self) return;
    self->why_down_ = failure_of(error, self->endpoint_, {}).evidence;
    self->up_ = false;
    self->timer_.cancel();
  };
  return hooks;
}

void RpcSender::went_down(std::string why) {
  up_ = false;
  why_down_ = std::move(why);
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    RpcAnswer answer;
    answer.why = why_down_;
    net::asio::post(io_, [done = std::move(waiting.done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }
}

void RpcSender::flush() {
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    connection_->call(std::move(waiting.request), waiting.timeout, std::move(waiting.done));
  }
}

}  // namespace holdfast::upstream
