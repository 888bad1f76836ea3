#include <api/replies.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

namespace holdfast::api {

std::string json_text(std::string_view text) {
  return boost::json::serialize(boost::json::string{text.data(), text.size()});
}

net::HttpResponse json_response(int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.body = std::move(body);
  return response;
}

net::HttpResponse error_response(int status, std::string_view code, std::string_view message) {
  std::string body = R"({"error":)" + json_text(message) + R"(,"code":)" + json_text(code) + "}";
  net::HttpResponse response = json_response(status, std::move(body));
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  return response;
}

net::HttpResponse error_response(const Error& error) {
  return error_response(status_of(error.code), to_string(error.code), error.message);
}

int status_of(Errc code) noexcept {
  // clang-format off
  switch (code) {
    case Errc::invalid_argument: return 400;
    case Errc::not_found: return 404;
    case Errc::conflict: return 409;
    case Errc::too_large: return 413;
    case Errc::queue_full:
    case Errc::store_full:
    case Errc::store_read_only:
    case Errc::store_corrupt:
    case Errc::store_too_new:
    case Errc::store_failed: return 507;
    case Errc::refused:
    case Errc::closed:
    case Errc::protocol:
    case Errc::unresolved: return 502;
    case Errc::timed_out: return 504;
    case Errc::store_busy:
    case Errc::cancelled:
    case Errc::unavailable: return 503;
    case Errc::unsupported: return 501;
  }
  // clang-format on
  return 500;
}

net::HttpResponse no_content() {
  net::HttpResponse response;
  response.status = 204;
  return response;
}

}  // namespace holdfast::api
