/// Evidence that waiting has become pointless (design §1): a local bridge that begins to listen, an
/// address or a route that changed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <net/task.hpp>
#include <net/url.hpp>
#include <string>

namespace holdfast::gateway {

/// Watches on behalf of links that wait. Local bridges are looked at every 50 ms, by one shared
/// timer, and only while one of them is waited for; everything else comes from the kernel.
class Hints {
 public:
  using OnHint = std::function<void(std::uint32_t link, const std::string& evidence)>;

  Hints(net::asio::io_context& io, OnHint on_hint);
  ~Hints();

  /// An attempt of `link` begins: from here on, a listener that was not there is news.
  void attempt(std::uint32_t link, const net::Endpoint& endpoint);
  /// `link` waits for its next attempt, after one that was refused or not.
  void waiting(std::uint32_t link, const net::Endpoint& endpoint, bool refused);
  /// It does not wait any more.
  void done(std::uint32_t link);
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::gateway
