/// One connection to a signal-cli daemon: newline-delimited JSON-RPC 2.0. Calls go out in the order
/// in which they are made; answers come in any order and are matched by id.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <net/lines.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <upstream/spawn.hpp>
#include <upstream/translate.hpp>

namespace holdfast::upstream {

/// What came of one call.
struct RpcAnswer {
  enum class Kind {
    result,
    error,        ///< the daemon's error object
    not_written,  ///< nothing of the call was written
    lost,         ///< written, and the connection ended before an answer
    timed_out,    ///< written, and no answer in time
  };
  Kind kind = Kind::not_written;
  std::string json;  ///< `result` and `error`: the value as it came
  std::string why;   ///< otherwise: one sentence
};

class RpcConnection : public std::enable_shared_from_this<RpcConnection> {
 public:
  /// What happens on the connection, on the loop's thread. None of it after `close()`.
  struct Hooks {
    /// A notification or a request of the daemon: its method and params, as they came.
    std::function<void(std::string_view method, std::string_view params)> on_notification;
    /// A line that is no JSON-RPC.
    std::function<void(std::string line)> on_garbage;
    /// Any byte came.
    std::function<void()> on_activity;
    /// The connection ended by itself; said once.
    std::function<void(Error)> on_closed;
  };
  using Done = std::function<void(RpcAnswer)>;

  RpcConnection(net::asio::io_context& io, net::LineStreamPtr stream, Hooks hooks);

  /// Begins to read and write. Once.
  void start();

  /// `done` is called exactly once, never from inside this call, also after `close()`.
  void call(RpcCall request, std::chrono::milliseconds timeout, Done done);

  /// Asks for `version`, unless such a question is open. Whatever comes meanwhile is told to
  /// `on_activity`, also the pieces of a line that is not complete yet.
  void ask_for_life();

  /// While reading is stopped nothing is taken off the connection (at most one line is already
  /// under way), and the daemon, which writes with blocking calls, waits.
  void stop_reading();
  void go_on_reading();
  [[nodiscard]] bool reading_stopped() const noexcept { return reading_stopped_; }

  /// Ends the connection: no more hooks; open calls are answered.
  void close();
  [[nodiscard]] bool is_open() const noexcept { return open_; }

  /// Calls without an answer.
  [[nodiscard]] std::size_t calls_open() const noexcept { return calls_.size(); }
  /// When a byte last came in. In the future while a long line may still be on its way out: a peer
  /// that is busy taking 20 MB is not silent.
  [[nodiscard]] SteadyClock::time_point last_life_at() const;

 private:
  struct Call {
    Done done;
    std::chrono::milliseconds timeout{};
    SteadyClock::time_point deadline;
    bool written = false;  ///< its write has begun
  };
  struct Line {
    std::uint64_t id;
    std::string text;
  };

  static net::Task<> read(std::shared_ptr<RpcConnection> self);
  static net::Task<> write(std::shared_ptr<RpcConnection> self);
  static net::Task<> watch_life(std::shared_ptr<RpcConnection> self);

  void take_line(std::string line);
  void answered(std::string_view id, RpcAnswer answer);
  void arm_deadline();
  void expire_calls();
  void post_answer(Done done, RpcAnswer answer);
  void end(const std::string& why);

  net::asio::io_context& io_;
  net::LineStreamPtr stream_;
  Hooks hooks_;
  Change reading_;                          ///< `reading_stopped_` or `open_` changed
  Change writing_;                          ///< `lines_` or `open_` changed
  net::asio::steady_timer deadline_timer_;  ///< of the call whose time is up first
  net::asio::steady_timer life_timer_;
  std::map<std::uint64_t, Call> calls_;
  std::deque<Line> lines_;  ///< to be written
  std::uint64_t last_id_ = 0;
  SteadyClock::time_point armed_for_{};
  SteadyClock::time_point write_allowed_until_{};
  bool open_ = true;
  bool hooks_on_ = true;
  bool reading_stopped_ = false;
  bool asking_for_life_ = false;
  std::uint64_t life_question_ = 0;
};

/// Lets a coroutine wait for what comes of one call. Shared by the two.
class Question {
 public:
  explicit Question(net::asio::io_context& io) : change_{io} {}

  void answered(RpcAnswer answer) {
    answer_ = std::move(answer);
    change_.notify();
  }
  [[nodiscard]] net::Task<RpcAnswer> wait() {
    while (!answer_) co_await change_.wait();
    co_return std::move(*answer_);
  }

 private:
  Change change_;
  std::optional<RpcAnswer> answer_;
};

/// Makes a call and waits for what comes of it.
[[nodiscard]] net::Task<RpcAnswer> ask(net::asio::io_context& io,
                                       std::shared_ptr<RpcConnection> connection, RpcCall request,
                                       std::chrono::milliseconds timeout);

}  // namespace holdfast::upstream
