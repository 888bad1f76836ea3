/// WebSocket (RFC 6455), client and server, behind one virtual type: Beast stays in websocket.cpp.
#pragma once

#include <functional>
#include <net/http.hpp>
#include <net/stream.hpp>
#include <string>

namespace holdfast::net {

/// An open WebSocket. One read and one write may be under way at a time; control frames are handled
/// while a read is under way (pings are answered with the same payload by the implementation).
class WebSocket {
 public:
  virtual ~WebSocket() = default;

  /// The next data message (text or binary). `closed` at the peer's close or end, with the close
  /// code and reason in the message; `too_large` above the limit given at opening.
  virtual Task<Result<std::string>> read() = 0;

  virtual Task<Result<void>> write_text(std::string_view text) = 0;
  /// `payload`: at most 125 bytes.
  virtual Task<Result<void>> ping(std::string payload) = 0;
  /// Sends a close frame and ends the connection (waits at most 1 s for the peer's).
  virtual Task<void> close(std::uint16_t code, std::string reason) = 0;
  /// Ends the connection at once, without a close frame. Reads and writes return `closed`.
  virtual void abort() = 0;

  /// Called for each pong with its payload, during a read, on the io_context's thread.
  std::function<void(std::string_view)> on_pong;
  /// Called for any frame that arrives, before it is handled.
  std::function<void()> on_activity;
};
using WebSocketPtr = std::shared_ptr<WebSocket>;

/// A WebSocket handshake that failed keeps the HTTP answer: the bridge says its reason there.
struct HandshakeFailure {
  Error error;
  int status = 0;      ///< HTTP status if the peer answered, else 0
  std::string body;    ///< at most 4 KiB of it
  std::string retry_after;
};

struct WebSocketOptions {
  ConnectOptions connect{};
  std::size_t message_bytes_max = 16u << 20;
  std::string target;  ///< path and query
};

/// Opens a WebSocket. A handshake failure is told through `failure`.
[[nodiscard]] Task<Result<WebSocketPtr>> open_websocket(Endpoint endpoint, WebSocketOptions options,
                                                        HandshakeFailure* failure = nullptr);

}  // namespace holdfast::net
