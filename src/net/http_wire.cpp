#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>
#include <net/http_wire.hpp>

namespace holdfast::net {
namespace {

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  const std::size_t n =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string{text.data(), n};
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  for (const char c : value) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  head += "\r\n";
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_framing_header(std::string_view name) noexcept {
  constexpr std::array names{std::string_view{"Content-Length"}, std::string_view{"Connection"},
                             std::string_view{"Transfer-Encoding"}, std::string_view{"Keep-Alive"},
                             std::string_view{"Trailer"}};
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view framing) { return equal_without_case(framing, name); });
}

bool may_have_body(int status) noexcept { return status >= 200 && status != 204 && status != 304; }

std::string hex(std::size_t number) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr;
  return std::string{text.data(), end};
}

std::string response_head(const HttpResponse& response, Framing framing, bool keep_alive) {
  const auto reason =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(response.status));
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason.data(), reason.size());
  head += "\r\n";
  append_header(head, "Date", date_now());
  for (const auto& [name, value] : response.headers) {
    const bool ours = is_framing_header(name) || equal_without_case(name, "Date");
    if (!ours) append_header(head, name, value);
  }
  if (framing == Framing::chunked) {
    append_header(head, "Transfer-Encoding", "chunked");
  } else if (may_have_body(response.status)) {
    append_header(head, "Content-Length", std::to_string(response.body.size()));
  }
  append_header(head, "Connection", keep_alive ? "keep-alive" : "close");
  head += "\r\n";
  return head;
}

}  // namespace holdfast::net
