/// Calls of the short commands to a running gateway.
#pragma once

#include <app/command_line.hpp>
#include <chrono>
#include <net/http.hpp>
#include <string>
#include <variant>

namespace holdfast::app {

/// Why a command ends without what it wanted.
struct Trouble {
  int exit_code;
  std::string sentence;
  /// The request was written and no answer came: it may have been carried out.
  bool unanswered = false;
};

using Reply = std::variant<net::HttpResponse, Trouble>;

/// "http://127.0.0.1:8090", without a token that stands in its path.
[[nodiscard]] std::string shown_url(const net::Url& url);

/// The path and query to ask for: behind the URL's own path.
[[nodiscard]] std::string target_of(const Access& access, const std::string& path);

/// Asks and waits for the answer, at most `timeout`. Anything but 2xx is `Trouble`, in the
/// gateway's own words.
[[nodiscard]] Reply call_gateway(const Access& access, net::HttpRequest request,
                                 std::chrono::milliseconds timeout);
[[nodiscard]] Reply get_from_gateway(const Access& access, const std::string& path);

/// What a failed connection or exchange means.
[[nodiscard]] Trouble trouble_of(const Access& access, const Error& error);
/// What an answer that is not 2xx means. `body`: as it came.
[[nodiscard]] Trouble refusal_of(int status, std::string_view body);

}  // namespace holdfast::app
