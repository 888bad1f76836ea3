#include <algorithm>
#include <charconv>
#include <upstream/json_span.hpp>
#include <upstream/rpc_connection.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

constexpr std::chrono::milliseconds life_question_within{30'000};
constexpr std::chrono::milliseconds life_look_every{3'000};

/// How long a line of this size may take to go out: 10 s and its time at 100 kB a second.
std::chrono::milliseconds write_allowance(std::size_t bytes) {
  return std::chrono::milliseconds{10'000 + static_cast<std::int64_t>(bytes / 100)};
}

RpcAnswer unanswered(RpcAnswer::Kind kind, std::string why) {
  RpcAnswer answer;
  answer.kind = kind;
  answer.why = std::move(why);
  return answer;
}

RpcAnswer answer_with(RpcAnswer::Kind kind, std::string_view json) {
  RpcAnswer answer;
  answer.kind = kind;
  answer.json = json;
  return answer;
}

std::string line_of(std::uint64_t id, const RpcCall& request) {
  std::string line;
  line.reserve(request.params.size() + request.method.size() + 64);
  line += R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + request.method +
          R"(","params":)";
  line += request.params;
  line += '}';
  return line;
}

std::string seconds_of(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

RpcConnection::RpcConnection(net::asio::io_context& io, net::LineStreamPtr stream, Hooks hooks)
    : io_{io},
      stream_{std::move(stream)},
      hooks_{std::move(hooks)},
      reading_{io},
      writing_{io},
      deadline_timer_{io},
      life_timer_{io} {}

void RpcConnection::start() {
  spawn(io_, [self = shared_from_this()] { return read(self); });
  spawn(io_, [self = shared_from_this()] { return write(self); });
}

void RpcConnection::call(RpcCall request, std::chrono::milliseconds timeout, Done done) {
  if (!open_) {
    post_answer(std::move(done),
                unanswered(RpcAnswer::Kind::not_written, "the connection is closed"));
    return;
  }
  const std::uint64_t id = ++last_id_;
  Call call;
  call.done = std::move(done);
  call.timeout = timeout;
  call.deadline = SteadyClock::now() + timeout;
  calls_.emplace(id, std::move(call));
  lines_.push_back(Line{id, line_of(id, request)});
  arm_deadline();
  writing_.notify();
}

void RpcConnection::ask_for_life() {
  if (!open_ || std::exchange(asking_for_life_, true)) return;
  const std::weak_ptr<RpcConnection> weak = weak_from_this();
  call(RpcCall{"version", "{}"}, life_question_within, [weak](const RpcAnswer&) {
    const auto self = weak.lock();
    if (!self) return;
    self->asking_for_life_ = false;
    self->life_timer_.cancel();
  });
  spawn(io_, [self = shared_from_this()] { return watch_life(self); });
}

void RpcConnection::stop_reading() { reading_stopped_ = true; }

void RpcConnection::go_on_reading() {
  reading_stopped_ = false;
  reading_.notify();
}

void RpcConnection::close() {
  hooks_on_ = false;
  end("the connection was closed here");
}

SteadyClock::time_point RpcConnection::last_life_at() const {
  return std::max(stream_->last_byte_at(), write_allowed_until_);
}

// --- Reading ------------------------------------------------------------------------------------

net::Task<> RpcConnection::read(std::shared_ptr<RpcConnection> self) {
  while (self->open_) {
    if (self->reading_stopped_) {
      co_await self->reading_.wait();
      continue;
    }
    auto line = co_await self->stream_->read_line();
    if (!self->open_) co_return;
    if (!line) {
      self->end(line.error().message);
      if (self->hooks_on_ && self->hooks_.on_closed) self->hooks_.on_closed(line.error());
      co_return;
    }
    if (self->hooks_on_ && self->hooks_.on_activity) self->hooks_.on_activity();
    if (self->open_) self->take_line(std::move(*line));
  }
}

void RpcConnection::take_line(std::string line) {
  std::string_view id, method, params, result, error;
  JsonMembers members{line};
  while (const auto member = members.next()) {
    if (member->is("id")) id = member->value;
    if (member->is("method")) method = member->value;
    if (member->is("params")) params = member->value;
    if (member->is("result")) result = member->value;
    if (member->is("error")) error = member->value;
  }
  const bool whole = members.complete();
  if (whole && method.size() > 2 && !params.empty()) {
    method = method.substr(1, method.size() - 2);
    if (hooks_on_ && hooks_.on_notification) hooks_.on_notification(method, params);
  } else if (whole && !error.empty() && error != "null") {
    answered(id, answer_with(RpcAnswer::Kind::error, error));
  } else if (whole && !result.empty()) {
    answered(id, answer_with(RpcAnswer::Kind::result, result));
  } else if (!line.empty() && hooks_on_ && hooks_.on_garbage) {
    hooks_.on_garbage(std::move(line));
  }
}

void RpcConnection::answered(std::string_view id, RpcAnswer answer) {
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (ec != std::errc{} || end != id.data() + id.size()) return;  // not one of our questions
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;  // its time was up
  const Done done = std::move(found->second.done);
  calls_.erase(found);
  arm_deadline();
  done(std::move(answer));
}

// --- Writing ------------------------------------------------------------------------------------

net::Task<> RpcConnection::write(std::shared_ptr<RpcConnection> self) {
  while (self->open_) {
    if (self->lines_.empty()) {
      co_await self->writing_.wait();
      continue;
    }
    Line line = std::move(self->lines_.front());
    self->lines_.pop_front();
    const auto found = self->calls_.find(line.id);
    if (found == self->calls_.end()) continue;  // its time was up before its turn
    found->second.written = true;
    self->write_allowed_until_ = SteadyClock::now() + write_allowance(line.text.size());
    auto written = co_await self->stream_->write_line(std::move(line.text));
    self->write_allowed_until_ = {};
    if (!self->open_) co_return;
    if (!written) {
      self->end(written.error().message);
      if (self->hooks_on_ && self->hooks_.on_closed) self->hooks_.on_closed(written.error());
      co_return;
    }
  }
}

// --- Time and the end ---------------------------------------------------------------------------

void RpcConnection::arm_deadline() {
  if (calls_.empty()) {
    armed_for_ = {};
    deadline_timer_.cancel();
    return;
  }
  const auto first = std::min_element(
      calls_.begin(), calls_.end(),
      [](const auto& a, const auto& b) { return a.second.deadline < b.second.deadline; });
  if (armed_for_ == first->second.deadline) return;
  armed_for_ = first->second.deadline;
  deadline_timer_.expires_at(armed_for_);
  deadline_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!ec && self) self->expire_calls();
  });
}

void RpcConnection::expire_calls() {
  const auto now = SteadyClock::now();
  armed_for_ = {};
  for (auto call = calls_.begin(); call != calls_.end();) {
    if (call->second.deadline > now) {
      ++call;
      continue;
    }
    const bool written = call->second.written;
    const std::string within = " within " + seconds_of(call->second.timeout);
    post_answer(std::move(call->second.done),
                written ? unanswered(RpcAnswer::Kind::timed_out, "no answer" + within)
                        : unanswered(RpcAnswer::Kind::not_written, "not written" + within));
    call = calls_.erase(call);
  }
  arm_deadline();
}

net::Task<> RpcConnection::watch_life(std::shared_ptr<RpcConnection> self) {
  const std::uint64_t question = ++self->life_question_;
  auto seen = self->stream_->last_byte_at();
  while (self->open_ && self->asking_for_life_ && self->life_question_ == question) {
    self->life_timer_.expires_after(life_look_every);
    (void)co_await self->life_timer_.async_wait(net::as_result);
    const auto now_seen = self->stream_->last_byte_at();
    const bool life = self->open_ && self->hooks_on_ && now_seen > std::exchange(seen, now_seen);
    if (life && self->hooks_.on_activity) self->hooks_.on_activity();
  }
}

void RpcConnection::post_answer(Done done, RpcAnswer answer) {
  net::asio::post(io_, [done = std::move(done), answer = std::move(answer)]() mutable {
    done(std::move(answer));
  });
}

void RpcConnection::end(const std::string& why) {
  if (!std::exchange(open_, false)) return;
  stream_->close();
  lines_.clear();
  for (auto& [id, call] : std::exchange(calls_, {})) {
    post_answer(
        std::move(call.done),
        unanswered(call.written ? RpcAnswer::Kind::lost : RpcAnswer::Kind::not_written, why));
  }
  deadline_timer_.cancel();
  life_timer_.cancel();
  reading_.notify();
  writing_.notify();
}

net::Task<RpcAnswer> ask(net::asio::io_context& io, std::shared_ptr<RpcConnection> connection,
                         RpcCall request, std::chrono::milliseconds timeout) {
  const auto question = std::make_shared<Question>(io);
  connection->call(std::move(request), timeout,
                   [question](RpcAnswer answer) { question->answered(std::move(answer)); });
  co_return co_await question->wait();
}

}  // namespace holdfast::upstream
