/// Newline-delimited text over a byte stream: signal-cli's JSON-RPC framing, client and server side.
#pragma once

#include <functional>
#include <net/stream.hpp>
#include <string>

namespace holdfast::net {

/// One peer that speaks lines. Reads and writes may be under way at the same time, one of each.
/// `close()` ends both with `Errc::closed`; safe to call at any time, any number of times.
class LineStream {
 public:
  virtual ~LineStream() = default;

  /// The next line without its terminator ("\n" or "\r\n"). A line longer than `line_bytes_max`
  /// fails with `too_large`, the peer's end with `closed`. Over TCP, TCP_QUICKACK is armed again
  /// before each read (43 ms a call without it: signal-cli writes with Nagle on).
  virtual Task<Result<std::string>> read_line() = 0;

  /// Writes `line` and "\n". Returns when the kernel has taken all of it.
  virtual Task<Result<void>> write_line(std::string line) = 0;

  /// Ends our direction; the peer sees end of file and may still answer.
  virtual void shutdown_send() = 0;
  virtual void close() = 0;

  /// The steady-clock time at which the last byte came in.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point last_byte_at() const = 0;
};
using LineStreamPtr = std::shared_ptr<LineStream>;

inline constexpr std::size_t line_bytes_max_default = 64u << 20;

[[nodiscard]] Task<Result<LineStreamPtr>> connect_lines(Endpoint endpoint, ConnectOptions options,
                                                        std::size_t line_bytes_max = line_bytes_max_default);

/// Accepts line connections on a TCP port (0: any) or a UNIX socket path until destroyed.
class LineServer {
 public:
  using OnConnection = std::function<Task<>(LineStreamPtr)>;  ///< one coroutine per connection
  virtual ~LineServer() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};
[[nodiscard]] Result<std::unique_ptr<LineServer>> listen_lines(asio::io_context& io, Endpoint endpoint,
                                                               LineServer::OnConnection on_connection);

}  // namespace holdfast::net
