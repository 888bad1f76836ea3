/// Drives an io_context until something is true, with peers that send exactly the bytes they are
/// told. No test sleeps: each waits for a condition, and fails after a generous deadline.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <net/task.hpp>
#include <net/url.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::net::test {

using asio::ip::tcp;
using namespace std::chrono_literals;

class Loop {
 public:
  static constexpr std::chrono::seconds patience{30};

  asio::io_context io{1};

  /// Runs until `condition` holds; a failure of the test if it does not within `patience`.
  void until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      io.restart();
      io.run_one_until(end);
      if (std::chrono::steady_clock::now() >= end) {
        ADD_FAILURE() << "waited in vain";
        return;
      }
    }
  }

  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    run(keep_result(std::move(task), &value));
    return std::move(value).value();
  }
  void run(Task<> task) {
    std::exception_ptr failure;
    bool done = false;
    asio::co_spawn(io, std::move(task), [&](std::exception_ptr e) {
      failure = e;
      done = true;
    });
    until([&] { return done; });
    if (failure) std::rethrow_exception(failure);
  }
  /// Runs beside the others; an exception fails the test.
  void spawn(Task<> task) {
    asio::co_spawn(io, std::move(task), [](std::exception_ptr e) {
      if (e) ADD_FAILURE() << "a coroutine threw";
    });
  }
  template <typename T>
  static Task<> keep_result(Task<T> task, std::optional<T>* value) {
    value->emplace(co_await std::move(task));
  }
  /// Runs what is ready now.
  void settle() {
    io.restart();
    while (io.poll() > 0) io.restart();
  }

 private:
  asio::executor_work_guard<asio::io_context::executor_type> work_{io.get_executor()};
};

inline Endpoint tcp_at(std::uint16_t port) {
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = port;
  return endpoint;
}

/// A socket's path that is free, removed at the end.
class SocketPath {
 public:
  SocketPath() : path_{"/tmp/holdfast-net-" + std::to_string(::getpid()) + "-" + unique()} {
    ::unlink(path_.c_str());
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath() { ::unlink(path_.c_str()); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Endpoint endpoint() const {
    Endpoint endpoint;
    endpoint.kind = Endpoint::Kind::unix_socket;
    endpoint.host = path_;
    return endpoint;
  }

 private:
  static std::string unique() {
    static int count = 0;
    return std::to_string(++count) + ".sock";
  }
  std::string path_;
};

/// A TCP peer that does what the test says, byte for byte.
class RawPeer {
 public:
  RawPeer(Loop& loop, std::uint16_t port) : loop_{loop}, socket_{loop.io} {
    boost::system::error_code ec;
    socket_.connect(tcp::endpoint{asio::ip::address_v4::loopback(), port}, ec);
    EXPECT_FALSE(ec) << ec.message();
  }
  RawPeer(Loop& loop, tcp::socket socket) : loop_{loop}, socket_{std::move(socket)} {}

  void write(std::string_view bytes) { loop_.run(write_task(&socket_, bytes)); }
  /// Writes beside everything else; ends quietly when the peer goes.
  void start_writing(std::string bytes) { loop_.spawn(write_beside(&socket_, std::move(bytes))); }
  /// All that came until `end` has come, or the peer's end.
  std::string read_until(std::string_view end) {
    loop_.run(read_task(&socket_, &received_, end));
    const auto at = end.empty() ? std::string::npos : received_.find(end);
    if (at == std::string::npos) return std::exchange(received_, {});
    std::string head = received_.substr(0, at + end.size());
    received_.erase(0, head.size());
    return head;
  }
  std::string read_exactly(std::size_t bytes) {
    loop_.run(read_count(&socket_, &received_, bytes));
    std::string head = received_.substr(0, bytes);
    received_.erase(0, head.size());
    return head;
  }
  std::string read_to_end() { return read_until({}); }
  void half_close() { socket_.shutdown(tcp::socket::shutdown_send); }
  void close() { socket_.close(); }
  /// Ends with a reset instead of an end of file.
  void reset() {
    socket_.set_option(asio::socket_base::linger{true, 0});
    socket_.close();
  }
  tcp::socket& socket() { return socket_; }

 private:
  static Task<> write_task(tcp::socket* socket, std::string_view bytes) {
    (void)co_await asio::async_write(*socket, asio::buffer(bytes), as_result);
  }
  static Task<> write_beside(tcp::socket* socket, std::string bytes) {
    (void)co_await asio::async_write(*socket, asio::buffer(bytes), as_result);
  }
  static Task<> read_task(tcp::socket* socket, std::string* received, std::string_view end) {
    while (end.empty() || received->find(end) == std::string::npos) {
      char piece[65536];
      const auto [ec, n] = co_await socket->async_read_some(asio::buffer(piece), as_result);
      received->append(piece, n);
      if (ec) co_return;
    }
  }
  static Task<> read_count(tcp::socket* socket, std::string* received, std::size_t bytes) {
    while (received->size() < bytes) {
      char piece[65536];
      const auto [ec, n] = co_await socket->async_read_some(asio::buffer(piece), as_result);
      received->append(piece, n);
      if (ec) co_return;
    }
  }

  Loop& loop_;
  tcp::socket socket_;
  std::string received_;
};

/// A listening socket whose connections the test takes one by one.
class RawServer {
 public:
  explicit RawServer(Loop& loop)
      : loop_{loop}, acceptor_{loop.io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}} {}
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] RawPeer accept() { return RawPeer{loop_, loop_.run(accept_task(&acceptor_))}; }
  void close() { acceptor_.close(); }

 private:
  static Task<tcp::socket> accept_task(tcp::acceptor* acceptor) {
    auto [ec, socket] = co_await acceptor->async_accept(as_result);
    EXPECT_FALSE(ec);
    co_return std::move(socket);
  }
  Loop& loop_;
  tcp::acceptor acceptor_;
};

/// A port on which nobody listens.
inline std::uint16_t free_port(Loop& loop) {
  tcp::acceptor acceptor{loop.io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
  return acceptor.local_endpoint().port();
}

/// The outcome of a task that runs beside the test.
template <typename T>
class Started {
 public:
  Started(Loop& loop, Task<T> task) : loop_{loop} { loop.spawn(keep(std::move(task), cell_)); }
  [[nodiscard]] bool done() const { return cell_->has_value(); }
  T& wait() {
    loop_.until([this] { return done(); });
    return **cell_;
  }

 private:
  static Task<> keep(Task<T> task, std::shared_ptr<std::optional<T>> cell) {
    cell->emplace(co_await std::move(task));
  }

  Loop& loop_;
  std::shared_ptr<std::optional<T>> cell_ = std::make_shared<std::optional<T>>();
};

}  // namespace holdfast::net::test
