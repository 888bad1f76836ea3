/// Who may ask: Host, Origin and token (design §8). Pure; decides before anything else is looked
/// at.
///
/// Host and Origin keep the web pages that a person visits from reaching a Holdfast on the same
/// machine: a page of a foreign name that resolves to loopback says that name as its Host, and a
/// page's calls elsewhere say where they come from.
#pragma once

#include <gateway/config.hpp>
#include <net/http.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

class Guard {
 public:
  explicit Guard(const gateway::Config& config);

  struct Admission {
    std::optional<net::HttpResponse> refusal;  ///< nothing: the request may pass
    /// "/t/TOKEN" as it came, else "": belongs in front of every path told to the caller.
    std::string prefix;
  };

  /// Takes the token prefix off `request.target`, and off its headers what was meant for Holdfast.
  [[nodiscard]] Admission admit(net::HttpRequest& request) const;

 private:
  [[nodiscard]] bool host_is_ours(std::string_view name) const;
  [[nodiscard]] bool opens(std::string_view token) const;

  std::vector<std::string> tokens_;
  std::vector<std::string> hosts_;  ///< names without port, lower case
  bool any_address_ = false;        ///< listens on all of them: any address is one of ours
  bool closed_ = false;             ///< beyond loopback without token and without "none"
};

/// "Example.org:8090" as "example.org", "[::1]:80" as "::1"; "" where it is neither.
[[nodiscard]] std::string host_name(std::string_view authority);

}  // namespace holdfast::api
