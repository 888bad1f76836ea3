/// The one coroutine type of the drivers, and the way completions come back as values.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <holdfast/result.hpp>

namespace holdfast::net {

namespace asio = boost::asio;

template <typename T = void>
using Task = asio::awaitable<T>;

/// `auto [ec, n] = co_await stream.async_read_some(buffer, as_result);`
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// A socket error as an `Error` with its class: refused, timed_out, closed, unresolved, cancelled.
[[nodiscard]] Error to_error(const boost::system::error_code& ec, const std::string& doing);

}  // namespace holdfast::net
