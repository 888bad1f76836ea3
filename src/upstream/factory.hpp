/// The bridge that a URL names.
#pragma once

#include <boost/asio/io_context.hpp>
#include <holdfast/result.hpp>
#include <memory>
#include <net/url.hpp>
#include <string>
#include <upstream/bridge.hpp>

namespace holdfast::upstream {

/// | scheme | bridge |
/// |---|---|
/// | `http`, `https` | signal-cli-rest-api |
/// | `unix`, `tcp`, `tls` | signal-cli's daemon, JSON-RPC |
///
/// `invalid_argument` for any other. The bridge serves `account` alone: several accounts on one
/// bridge are several of these.
[[nodiscard]] Result<std::unique_ptr<Bridge>> make_bridge(net::asio::io_context& io, net::Url url,
                                                          std::string account,
                                                          BridgeListener& listener);

}  // namespace holdfast::upstream
