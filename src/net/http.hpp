/// HTTP/1.1, client and server. Header names compare without case; values are kept as they came.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <net/stream.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::net {

using Headers = std::vector<std::pair<std::string, std::string>>;
/// The first value under `name` (any case), or "".
[[nodiscard]] std::string_view header(const Headers& headers, std::string_view name);

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  ///< path and query, percent-encoded as it came
  Headers headers;
  std::string body;
  std::string peer;  ///< server side: the peer's address, for logs

  [[nodiscard]] std::string path() const;                        ///< decoded, without the query
  [[nodiscard]] std::string raw_path() const;                    ///< as it came, without the query
  [[nodiscard]] std::string query(std::string_view name) const;  ///< decoded; "" if absent
  [[nodiscard]] bool has_query(std::string_view name) const;
  [[nodiscard]] bool is_websocket_upgrade() const;
};

struct HttpResponse {
  int status = 200;
  Headers headers;
  std::string body;
};

// --- Client -------------------------------------------------------------------------------------

/// How far a failed request got: whether the peer may have acted on it.
enum class RequestProgress { nothing_written, written };

struct HttpFailure {
  Error error;
  RequestProgress progress = RequestProgress::nothing_written;
};

/// Calls one peer. Idle connections are kept for reuse (at most 4, 30 s); a call on a reused
/// connection that fails before anything of it was answered because the peer had closed it counts
/// as written (it may have been acted on), so calls that must not repeat ask for `fresh`.
class HttpClient {
 public:
  explicit HttpClient(Endpoint endpoint);
  ~HttpClient();
  /// Whole exchange within `timeout`, else `timed_out`. Answers of any status are results.
  /// Bodies above `body_bytes_max` fail with `too_large`.
  [[nodiscard]] Task<Result<HttpResponse>> call(HttpRequest request,
                                                std::chrono::milliseconds timeout,
                                                HttpFailure* failure = nullptr, bool fresh = false);
  /// Ends calls under way and closes idle connections.
  void close();

  static constexpr std::size_t body_bytes_max = 200u << 20;
  /// Calls under way at one time; further ones wait for their turn, within their timeout.
  static constexpr std::size_t calls_max = 64;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// --- Server -------------------------------------------------------------------------------------

class WebSocket;

/// A response that is written piece by piece (Server-Sent Events): chunked, until the handler ends
/// or the peer goes.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  /// Returns when the kernel has taken it; `closed` when the peer is gone.
  virtual Task<Result<void>> write(std::string_view piece) = 0;
  /// Whether the peer has closed; noticed without writing.
  [[nodiscard]] virtual bool is_open() const = 0;
};

/// What a handler may do with a request besides returning a response: at most one of these, once.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const HttpRequest& request() const = 0;
  [[nodiscard]] virtual HttpRequest& request() = 0;
  /// Answers 101 and hands over the connection. `message_bytes_max` bounds what the peer may send.
  virtual Task<Result<std::shared_ptr<WebSocket>>> accept_websocket(
      std::size_t message_bytes_max) = 0;
  /// Sends the header of a stream; the body follows piece by piece.
  virtual Task<Result<std::shared_ptr<ResponseStream>>> start_stream(HttpResponse head) = 0;
  /// Sends a whole response now and returns when the peer's kernel has acknowledged every byte
  /// (SIOCOUTQ is 0), or an error when it did not within `timeout`.
  virtual Task<Result<void>> respond_acknowledged(HttpResponse response,
                                                  std::chrono::milliseconds timeout) = 0;
  /// Ends the connection without an answer.
  virtual void abort() = 0;
};

/// Answers requests. A handler that used one of `Exchange`'s calls returns nothing.
using HttpHandler = std::function<Task<std::optional<HttpResponse>>(Exchange&)>;

struct HttpServerOptions {
  std::size_t body_bytes_max = 150u << 20;  ///< 413 above it
  std::size_t all_bodies_bytes_max = 512u
                                     << 20;  ///< bodies at one time, all connections; 503 above it
  std::size_t header_bytes_max = 16u << 10;  ///< 431 above it
  std::size_t connections_max = 1024;        ///< further ones get 503 and are closed
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};  ///< between requests
};

/// Listens until destroyed or `stop()`. Sockets get TCP_NODELAY, keepalive and TCP_USER_TIMEOUT
/// 60 s (a peer that moves no byte for 60 s is gone; G7).
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Stops accepting; connections that are idle close, busy ones after their response.
  virtual void stop() = 0;
  [[nodiscard]] virtual std::size_t connections() const = 0;
};
[[nodiscard]] Result<std::unique_ptr<HttpServer>> listen_http(asio::io_context& io,
                                                              Endpoint endpoint,
                                                              HttpServerOptions options,
                                                              HttpHandler handler);

}  // namespace holdfast::net
