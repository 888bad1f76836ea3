/// A signal-cli daemon as a bridge: newline-delimited JSON-RPC over TCP, TLS or a UNIX socket.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <net/url.hpp>
#include <string>
#include <upstream/bridge.hpp>
#include <upstream/times.hpp>

namespace holdfast::upstream {

/// A bridge for one account of a daemon. Calls and events on the thread of `io`; `listener` must
/// outlive the bridge.
///
/// - Two connections: one that subscribes and never sends, one that sends and never subscribes
///   (`RpcSender`). A new receiving connection may be dialled and subscribed while the old one
///   still stands: the daemon forgets what it was about to hand to a subscription that ends.
/// - Best with `--receive-mode=manual`. A daemon in another mode streams by itself and, once
///   subscribed, sends every message twice on the receiving connection; their identities are equal.
/// - `pause()` unsubscribes: the messages stay on Signal's server. Where frames keep coming after
///   that (another mode), reading stops, which holds the daemon's receiving thread; a probe is then
///   answered here, since the silence is our own doing.
[[nodiscard]] std::unique_ptr<Bridge> make_jsonrpc_bridge(net::asio::io_context& io, net::Url url,
                                                          std::string account,
                                                          BridgeListener& listener,
                                                          BridgeTimes times = {});

}  // namespace holdfast::upstream
