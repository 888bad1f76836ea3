/// The server's side of opening a WebSocket. Internal to `net/`.
#pragma once

#include <net/byte_stream.hpp>
#include <net/websocket.hpp>

namespace holdfast::net {

/// Answers 101 to `request`, which came over `stream`, and takes the stream over.
[[nodiscard]] Task<Result<WebSocketPtr>> accept_websocket_over(ByteStreamPtr stream,
                                                               const HttpRequest* request,
                                                               std::size_t message_bytes_max);

}  // namespace holdfast::net
