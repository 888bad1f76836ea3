#include <algorithm>
#include <api/encoding.hpp>
#include <api/guard.hpp>
#include <api/replies.hpp>
#include <api/text.hpp>
#include <boost/asio/ip/address.hpp>
#include <net/url.hpp>

namespace holdfast::api {
namespace {

using boost::asio::ip::address;

std::optional<address> parse_address(const std::string& text) {
  boost::system::error_code ec;
  const address parsed = boost::asio::ip::make_address(text, ec);
  if (ec) return std::nullopt;
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped())
    return address{boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, parsed.to_v6())};
  return parsed;
}

/// Whether two hosts are one: equal names, or two spellings of an address.
bool same_host(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto left = parse_address(a);
  return left && left == parse_address(b);
}

bool is_loopback(const std::string& name) {
  if (name == "localhost") return true;
  const auto parsed = parse_address(name);
  return parsed && parsed->is_loopback();
}

/// "https://example.org:443" as "example.org": what a browser says as Host for this origin. "" for
/// an origin without a host ("null").
std::string authority_of(std::string_view origin) {
  const auto mark = origin.find("://");
  if (mark == std::string_view::npos) return {};
  const std::string_view scheme = origin.substr(0, mark);
  std::string_view authority = origin.substr(mark + 3);
  if (scheme == "http" && authority.ends_with(":80")) authority.remove_suffix(3);
  if (scheme == "https" && authority.ends_with(":443")) authority.remove_suffix(4);
  return lowered(authority);
}

bool origin_matches(std::string_view origin, std::string_view host) {
  const auto mark = origin.find("://");
  if (mark == std::string_view::npos) return false;
  const std::string scheme{origin.substr(0, mark)};
  return authority_of(origin) == authority_of(scheme + "://" + std::string{host});
}

/// A browser that says that a page of another site is behind this request. It says no Origin on
/// plain GETs (an image, a link), and a poll is a GET that takes messages. A link to the page
/// itself is welcome.
bool from_another_site(const net::HttpRequest& request) {
  const std::string_view site = net::header(request.headers, "Sec-Fetch-Site");
  if (site != "cross-site" && site != "same-site") return false;
  const bool follows_a_link = request.method == "GET" &&
                              net::header(request.headers, "Sec-Fetch-Mode") == "navigate" &&
                              request.raw_path() == "/";
  return !follows_a_link;
}

/// The token of an Authorization header: Bearer, or the password of Basic.
std::string token_of(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (space == std::string_view::npos) return {};
  const std::string scheme = lowered(authorization.substr(0, space));
  const std::string_view value = authorization.substr(space + 1);
  if (scheme == "bearer") return std::string{value};
  if (scheme != "basic") return {};
  const auto pair = decode_base64(value);
  if (!pair) return {};
  const auto colon = pair->find(':');
  return colon == std::string::npos ? std::string{} : pair->substr(colon + 1);
}

/// Takes "/t/TOKEN" off the target and returns it. "/t/TOKEN" alone becomes "".
std::string take_prefix(std::string& target) {
  constexpr std::string_view mark = "/t/";
  if (!target.starts_with(mark)) return {};
  const auto end = std::min(target.find_first_of("/?", mark.size()), target.size());
  std::string prefix = target.substr(0, end);
  target.erase(0, end);
  return prefix;
}

net::HttpResponse unauthorised() {
  net::HttpResponse response = error_response(
      401, "unauthorised",
      "a token is needed: as Bearer, as the password of Basic, or in the URL as /t/TOKEN/…");
  response.headers.emplace_back("WWW-Authenticate", R"(Basic realm="Holdfast", charset="UTF-8")");
  response.headers.emplace_back("WWW-Authenticate", R"(Bearer realm="Holdfast")");
  return response;
}

/// "/t/TOKEN" without its slash: the page's relative links need it.
net::HttpResponse redirect_into(const std::string& prefix) {
  net::HttpResponse response;
  response.status = 301;
  response.headers.emplace_back("Location", prefix.substr(prefix.rfind('/') + 1) + "/");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  return response;
}

}  // namespace

std::string host_name(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    return end == std::string_view::npos ? std::string{} : lowered(authority.substr(1, end - 1));
  }
  const bool bare_v6 = std::ranges::count(authority, ':') > 1;
  std::string_view name = bare_v6 ? authority : authority.substr(0, authority.find(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return lowered(name);
}

Guard::Guard(const gateway::Config& config) : tokens_{config.tokens} {
  hosts_.push_back(host_name(config.listen.host));
  for (const std::string& host : config.allowed_hosts) hosts_.push_back(host_name(host));
  const auto listen = parse_address(hosts_.front());
  any_address_ = listen && listen->is_unspecified();
  closed_ = !config.listen.is_local() && tokens_.empty() && !config.auth_none;
}

bool Guard::host_is_ours(std::string_view authority) const {
  const std::string name = host_name(authority);
  if (name.empty()) return false;
  if (is_loopback(name)) return true;
  // Only a name can be made to resolve to us by somebody else; an address cannot.
  if (any_address_ && parse_address(name)) return true;
  return std::ranges::any_of(hosts_,
                             [&](const std::string& ours) { return same_host(name, ours); });
}

/// Looks at every token, so that the time does not tell which one it was.
bool Guard::opens(std::string_view token) const {
  bool found = false;
  for (const std::string& known : tokens_) found |= equal_secrets(token, known);
  return found && !token.empty();
}

Guard::Admission Guard::admit(net::HttpRequest& request) const {
  Admission admission;
  const std::string_view host = net::header(request.headers, "Host");
  if (!host_is_ours(host)) {
    admission.refusal = error_response(
        421, "foreign_host",
        "this Host is not one of Holdfast's; names beyond the listen address are allowed by "
        "allowed_hosts in the configuration");
    return admission;
  }
  const std::string_view origin = net::header(request.headers, "Origin");
  admission.prefix = take_prefix(request.target);
  if ((!origin.empty() && !origin_matches(origin, host)) || from_another_site(request)) {
    admission.refusal =
        error_response(403, "foreign_origin", "pages of other sites may not call Holdfast");
    return admission;
  }
  if (!tokens_.empty() || closed_) {
    const std::string_view in_url =
        admission.prefix.empty() ? "" : std::string_view{admission.prefix}.substr(3);
    const bool by_url = !in_url.empty() && opens(net::percent_decode(in_url));
    const bool by_header = opens(token_of(net::header(request.headers, "Authorization")));
    if (!by_url && !by_header) {
      admission.refusal = unauthorised();
      return admission;
    }
    std::erase_if(request.headers, [](const auto& field) {
      return equal_without_case(field.first, "authorization");
    });
  }
  if (!request.target.starts_with('/')) {
    if (!admission.prefix.empty()) admission.refusal = redirect_into(admission.prefix);
    request.target.insert(0, "/");
  }
  return admission;
}

}  // namespace holdfast::api
