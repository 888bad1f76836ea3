/// How responses look on the wire. Internal to `net/`.
#pragma once

#include <net/http.hpp>
#include <string>
#include <string_view>

namespace holdfast::net {

enum class Framing { whole, chunked };

/// Status line and header, with Date, Connection and the body's framing. A line break in a header's
/// value becomes a space.
[[nodiscard]] std::string response_head(const HttpResponse& response, Framing framing,
                                        bool keep_alive);
[[nodiscard]] bool may_have_body(int status) noexcept;
/// Headers that say how a message is framed or how long its connection lasts; `net/` writes them
/// itself, whatever a caller (a proxy, say) gives.
[[nodiscard]] bool is_framing_header(std::string_view name) noexcept;
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] std::string hex(std::size_t number);

}  // namespace holdfast::net
