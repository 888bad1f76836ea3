#include <algorithm>
#include <api/context.hpp>
#include <api/forward.hpp>
#include <api/replies.hpp>
#include <api/routes.hpp>
#include <api/text.hpp>
#include <array>

namespace holdfast::api {
namespace {

/// What belongs to one connection, and what a browser keeps for our address alone.
constexpr std::array<std::string_view, 15> hop_headers{"Connection",
                                                       "Keep-Alive",
                                                       "Proxy-Authenticate",
                                                       "Proxy-Authorization",
                                                       "Proxy-Connection",
                                                       "TE",
                                                       "Trailer",
                                                       "Transfer-Encoding",
                                                       "Upgrade",
                                                       "Content-Length",
                                                       "Expect",
                                                       "Host",
                                                       "Origin",
                                                       "Cookie",
                                                       "Set-Cookie"};

/// The link of a path without an account: the first connected one, else the first.
core::LinkId any_link(const gateway::Daemon& daemon) {
  for (core::LinkId id = 0; id < daemon.links(); ++id) {
    const ConnectionState state = daemon.view(id).link.state;
    if (state == ConnectionState::connected || state == ConnectionState::syncing) return id;
  }
  return 0;
}

}  // namespace

NamedAccount account_in(std::string_view raw_path,
                        const std::function<bool(std::string_view)>& is_ours) {
  NamedAccount named;
  const auto segments = segments_of(raw_path);
  const auto found = std::ranges::find_if(segments, is_ours);
  if (found != segments.end()) {
    named.account = *found;
    return named;
  }
  // Numbers stand in the third place. One that is not ours yet is right only where it becomes one.
  named.unknown = segments.size() > 2 && segments[2].starts_with('+') && segments[1] != "register";
  return named;
}

void strip_hop_headers(net::Headers& headers) {
  std::erase_if(headers, [](const auto& field) {
    return std::ranges::any_of(
        hop_headers, [&](std::string_view name) { return equal_without_case(field.first, name); });
  });
}

void contain(net::HttpResponse& response) {
  strip_hop_headers(response.headers);
  std::erase_if(response.headers, [](const auto& field) {
    return equal_without_case(field.first, "Content-Security-Policy");
  });
  response.headers.emplace_back("Content-Security-Policy", "sandbox; default-src 'none'");
  if (net::header(response.headers, "X-Content-Type-Options").empty())
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
}

Handled handle_forward(ContextPtr context, net::Exchange& exchange) {
  gateway::Daemon& daemon = *context->daemon;
  net::HttpRequest& request = exchange.request();
  const std::function<bool(std::string_view)> is_ours = [&daemon](std::string_view account) {
    return daemon.find(account).has_value();
  };
  const NamedAccount named = account_in(request.raw_path(), is_ours);
  if (named.unknown) co_return unknown_account();
  if (daemon.links() == 0) co_return error_response(503, "unavailable", "there is no link");
  const core::LinkId link = named.account ? *daemon.find(*named.account) : any_link(daemon);
  net::HttpRequest forwarded = std::move(request);
  strip_hop_headers(forwarded.headers);
  request.method = forwarded.method;  // the server still asks whether it was a HEAD
  auto forwarding = daemon.bridge(link).forward(std::move(forwarded));
  net::HttpResponse response = co_await std::move(forwarding);
  contain(response);
  co_return response;
}

}  // namespace holdfast::api
