/// Responses as every face gives them.
#pragma once

#include <holdfast/result.hpp>
#include <net/http.hpp>
#include <string>
#include <string_view>

namespace holdfast::api {

/// `text` as a JSON string with its quotes.
[[nodiscard]] std::string json_text(std::string_view text);

/// A JSON body that is neither cached nor taken for anything else.
[[nodiscard]] net::HttpResponse json_response(int status, std::string body);

/// `{"error":…,"code":…}`.
[[nodiscard]] net::HttpResponse error_response(int status, std::string_view code,
                                               std::string_view message);
/// The same with the status that belongs to the error's kind.
[[nodiscard]] net::HttpResponse error_response(const Error& error);
[[nodiscard]] int status_of(Errc code) noexcept;

[[nodiscard]] net::HttpResponse no_content();

}  // namespace holdfast::api
