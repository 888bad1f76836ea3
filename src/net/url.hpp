/// Addresses as people write them.
#pragma once

#include <cstdint>
#include <holdfast/result.hpp>
#include <string>
#include <string_view>

namespace holdfast::net {

/// Where a byte stream leads: a TCP address (optionally TLS) or a UNIX socket's path.
struct Endpoint {
  enum class Kind { tcp, tls, unix_socket };
  Kind kind = Kind::tcp;
  std::string host;  ///< a name or an address; for `unix_socket` the path
  std::uint16_t port = 0;

  [[nodiscard]] std::string to_string() const;
  /// Loopback address or UNIX socket: a peer on this machine.
  [[nodiscard]] bool is_local() const;
};

/// `scheme://host:port/prefix` or `unix:/path`. Errors name the part that is wrong.
struct Url {
  std::string scheme;
  Endpoint endpoint;
  std::string path;  ///< without trailing slash; empty for none
};
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// "127.0.0.1:8090", "[::1]:8090" or "8090" (loopback).
[[nodiscard]] Result<Endpoint> parse_listen_address(std::string_view text);

[[nodiscard]] std::string percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace holdfast::net
