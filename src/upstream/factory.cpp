#include <upstream/factory.hpp>
#include <upstream/jsonrpc_bridge.hpp>
#include <upstream/rest_bridge.hpp>
#include <utility>

namespace holdfast::upstream {

Result<std::unique_ptr<Bridge>> make_bridge(net::asio::io_context& io, net::Url url,
                                            std::string account, BridgeListener& listener) {
  if (url.scheme == "http" || url.scheme == "https") {
    return make_rest_bridge(io, std::move(url), std::move(account), listener);
  }
  if (url.scheme == "unix" || url.scheme == "tcp" || url.scheme == "tls") {
    return make_jsonrpc_bridge(io, std::move(url), std::move(account), listener);
  }
  return Error{Errc::invalid_argument,
               "no bridge is spoken to by \"" + url.scheme +
                   ":\"; use http:// or https:// for signal-cli-rest-api, and unix:/path, tcp:// "
                   "or tls:// for signal-cli's daemon"};
}

}  // namespace holdfast::upstream
