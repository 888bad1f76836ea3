/// How responses look on the wire. Internal to `net/`.
#pragma once

#include <net/http.hpp>
#include <string>

namespace holdfast::net {

enum class Framing { whole, chunked };

/// Status line and header, with Date, Connection and the body's framing. A line break in a header's
/// value becomes a space.
[[nodiscard]] std::string response_head(const HttpResponse& response, Framing framing,
                                        bool keep_alive);
[[nodiscard]] bool may_have_body(int status) noexcept;
[[nodiscard]] std::string hex(std::size_t number);

}  // namespace holdfast::net
