#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <net/url.hpp>
#include <optional>

namespace holdfast::net {
namespace {

constexpr std::size_t unix_path_bytes_max = 107;  // sockaddr_un holds 108 with its terminator

struct Scheme {
  std::string_view name;
  Endpoint::Kind kind;
  std::uint16_t default_port;  // 0: the port must be written
};
constexpr std::array schemes{
    Scheme{"http", Endpoint::Kind::tcp, 80},
    Scheme{"ws", Endpoint::Kind::tcp, 80},
    Scheme{"https", Endpoint::Kind::tls, 443},
    Scheme{"wss", Endpoint::Kind::tls, 443},
    Scheme{"tcp", Endpoint::Kind::tcp, 7583},  // signal-cli's own default
    Scheme{"tls", Endpoint::Kind::tls, 0},
    Scheme{"jsonrpc+http", Endpoint::Kind::tcp, 80},
    Scheme{"jsonrpc+https", Endpoint::Kind::tls, 443},
};

Error invalid(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

std::string quoted(std::string_view text) { return '"' + std::string{text} + '"'; }

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool is_address(const std::string& host) {
  boost::system::error_code ec;
  (void)boost::asio::ip::make_address(host, ec);
  return !ec;
}

bool is_host_name(std::string_view host) {
  const auto fits = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), fits);
}

/// "host", "host:port", "[v6]" or "[v6]:port".
struct Authority {
  std::string host;
  std::optional<std::uint16_t> port;
};
Result<Authority> parse_authority(std::string_view text, std::string_view whole) {
  Authority authority;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) {
      return invalid("the address in " + quoted(whole) + " has '[' but no ']'");
    }
    authority.host = text.substr(1, end - 1);
    if (authority.host.find(':') == std::string::npos || !is_address(authority.host)) {
      return invalid(quoted(authority.host) + " in " + quoted(whole) + " is no IPv6 address");
    }
    rest = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    authority.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return invalid("the host in " + quoted(whole) +
                     " has several ':'; write an IPv6 address in brackets: [::1]:8080");
    }
    if (authority.host.empty()) return invalid(quoted(whole) + " names no host");
    if (!is_host_name(authority.host)) {
      return invalid(quoted(authority.host) + " in " + quoted(whole) + " is no host name");
    }
  }
  if (rest.empty()) return authority;
  authority.port = rest.starts_with(':') ? parse_port(rest.substr(1)) : std::nullopt;
  if (!authority.port) {
    return invalid("the port in " + quoted(whole) + " is not a number from 0 to 65535");
  }
  return authority;
}

Result<Url> parse_unix(std::string_view path, std::string_view whole) {
  if (path.starts_with("//")) path.remove_prefix(2);
  if (!path.starts_with('/')) {
    return invalid("the path in " + quoted(whole) +
                   " must start with '/': unix:/run/signal/socket");
  }
  if (path.size() > unix_path_bytes_max) {
    return invalid("the path in " + quoted(whole) + " is longer than a UNIX socket allows (" +
                   std::to_string(path.size()) + " > " + std::to_string(unix_path_bytes_max) +
                   " bytes)");
  }
  if (path.find('\0') != std::string_view::npos) {
    return invalid("the path in " + quoted(whole) + " has a zero byte");
  }
  Url url;
  url.scheme = "unix";
  url.endpoint.kind = Endpoint::Kind::unix_socket;
  url.endpoint.host = path;
  return url;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Endpoint::to_string() const {
  if (kind == Kind::unix_socket) return "unix:" + host;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Endpoint::is_local() const {
  if (kind == Kind::unix_socket || host == "localhost") return true;
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

Result<Url> parse_url(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return invalid(quoted(text) + " is no URL; write, for example, http://127.0.0.1:8080");
  }
  Url url;
  url.scheme = text.substr(0, colon);
  std::transform(url.scheme.begin(), url.scheme.end(), url.scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string_view rest = text.substr(colon + 1);

  if (url.scheme == "unix") return parse_unix(rest, text);
  if (url.scheme == "sim") {
    if (!rest.empty()) return invalid(quoted(text) + ": nothing may follow \"sim:\"");
    return url;
  }
  const auto scheme = std::find_if(schemes.begin(), schemes.end(),
                                   [&](const Scheme& known) { return known.name == url.scheme; });
  if (scheme == schemes.end()) {
    return invalid(quoted(url.scheme) + " in " + quoted(text) +
                   " is no known scheme; known are http, https, tcp, tls, unix, jsonrpc+http, "
                   "jsonrpc+https, ws, wss, sim");
  }
  if (!rest.starts_with("//")) {
    return invalid(quoted(text) + " lacks \"//\" after \"" + url.scheme + ":\"");
  }
  rest.remove_prefix(2);
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return invalid(quoted(text) + " must not have a query or a fragment");
  }
  const auto bad = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
  if (std::any_of(rest.begin(), rest.end(), bad)) {
    return invalid(quoted(text) + " has a space or a control character");
  }
  const auto slash = rest.find('/');
  const std::string_view authority_text = rest.substr(0, slash);
  if (authority_text.find('@') != std::string_view::npos) {
    return invalid("a URL with a user name or password is not supported");
  }
  auto authority = parse_authority(authority_text, text);
  if (!authority) return authority.error();
  if (authority->port == 0) return invalid("port 0 in " + quoted(text) + " cannot be connected to");
  if (!authority->port && scheme->default_port == 0) {
    return invalid(quoted(text) + " names no port");
  }
  url.endpoint.kind = scheme->kind;
  url.endpoint.host = std::move(authority->host);
  url.endpoint.port = authority->port.value_or(scheme->default_port);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

Result<Endpoint> parse_listen_address(std::string_view text) {
  Endpoint endpoint;
  if (const auto port = parse_port(text)) {
    endpoint.host = "127.0.0.1";
    endpoint.port = *port;
    return endpoint;
  }
  if (text.starts_with(':')) {
    return invalid(quoted(text) + " names no address; write 127.0.0.1" + std::string{text} +
                   ", or 0.0.0.0" + std::string{text} + " for every address");
  }
  auto authority = parse_authority(text, text);
  if (!authority) return authority.error();
  if (!authority->port) return invalid(quoted(text) + " names no port; write 127.0.0.1:8090");
  if (authority->host == "localhost") authority->host = "127.0.0.1";
  if (!is_address(authority->host)) {
    return invalid(quoted(authority->host) + " in " + quoted(text) +
                   " is no address of this machine; write it in numbers, such as 127.0.0.1:8090");
  }
  endpoint.host = std::move(authority->host);
  endpoint.port = *authority->port;
  return endpoint;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[u >> 4];
      out += digits[u & 15];
    }
  }
  return out;
}

}  // namespace holdfast::net
