/// Host names to addresses. Internal to `net/`.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <net/waiting.hpp>
#include <string>
#include <vector>

namespace holdfast::net {

/// The addresses of `host`, all of them, in the system's order; `unresolved` without one,
/// `timed_out` after `until`. Addresses and "localhost" need no look-up. A look-up that hangs in
/// the system never delays its caller's end or the end of the process; at most 8 are under way.
[[nodiscard]] Task<Result<std::vector<asio::ip::tcp::endpoint>>> resolve(std::string host,
                                                                         std::uint16_t port,
                                                                         Clock::time_point until);

}  // namespace holdfast::net
