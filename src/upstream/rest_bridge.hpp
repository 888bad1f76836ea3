/// signal-cli-rest-api as a bridge: its WebSocket for what comes in, REST calls for what goes out.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <net/url.hpp>
#include <string>
#include <upstream/bridge.hpp>
#include <upstream/times.hpp>

namespace holdfast::upstream {

/// A bridge for one account. `url`: http or https, with an optional path. Calls and events on the
/// thread of `io`; `listener` must outlive the bridge.
///
/// - An attempt asks `/v1/about` first: a bridge in normal or native mode has no stream, and the
///   GET of `/v1/receive` that would find that out takes messages away there. Then it opens the
///   stream and asks `/v1/accounts`, all within 10 s. Frames may come before `on_answered()`.
/// - The stream's reader does nothing but read and tell: this bridge drops what nobody takes.
/// - `pause()` stops reading. The bridge cannot hold messages; what it loses then is lost. While
///   paused a probe is answered here, since the silence is our own doing.
/// - A send uses a connection of its own, so that a kept connection that the bridge has just closed
///   cannot make it ambiguous. At most 16 calls at a time; further ones wait here.
[[nodiscard]] std::unique_ptr<Bridge> make_rest_bridge(net::asio::io_context& io, net::Url url,
                                                       std::string account,
                                                       BridgeListener& listener,
                                                       BridgeTimes times = {});

}  // namespace holdfast::upstream
