/// Base64, hashes, and comparing secrets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

/// Standard base64 with its padding (RFC 4648 section 4); nothing for any other text.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

/// SHA-256 of `parts`, one after the other, as 64 lower-case hex digits.
[[nodiscard]] std::string sha256_hex(std::initializer_list<std::string_view> parts);

/// Whether two secrets are equal. The time it takes tells neither where they differ nor how long
/// the other one is.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace holdfast::api
