#include <api/page.hpp>

namespace holdfast::api {

net::HttpResponse page_response(std::string_view body, std::string_view type) {
  net::HttpResponse response;
  response.headers.emplace_back("Content-Type", std::string{type} + "; charset=utf-8");
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; script-src 'self'; style-src 'self'; "
                                "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.body = body;
  return response;
}

}  // namespace holdfast::api
