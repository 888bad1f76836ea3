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

bool is_ours(std::string_view name) {
  return name == "Content-Length" || name == "Transfer-Encoding" || name == "Connection" ||
         name == "Date";
}

}  // namespace

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
    if (!is_ours(name)) append_header(head, name, value);
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
