/// The status page as it stands in the binary (sources: `web/`, embedded by
/// `cmake/EmbedPage.cmake`).
#pragma once

#include <net/http.hpp>
#include <string_view>

namespace holdfast::api {

// Defined in the file that the build generates.
extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view page_js;

/// A part of the page. No request leaves the host, nothing may frame it, and no address of it
/// (which may carry a token) is told to others.
[[nodiscard]] net::HttpResponse page_response(std::string_view body, std::string_view type);

}  // namespace holdfast::api
