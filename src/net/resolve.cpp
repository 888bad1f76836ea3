#include <netdb.h>

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <mutex>
#include <net/resolve.hpp>
#include <system_error>
#include <thread>

namespace holdfast::net {
namespace {

using asio::ip::tcp;

constexpr int lookups_max = 8;
std::atomic<int> lookups_under_way{0};

/// A look-up in a thread of its own. The thread may outlive the one who asked, and the io_context:
/// it touches both only under the lock and while they are not gone.
struct Lookup {
  std::string host;
  std::mutex mutex;
  bool abandoned = false;
  asio::any_io_executor executor;
  asio::steady_timer* done = nullptr;
  bool finished = false;
  int status = 0;
  std::vector<asio::ip::address> addresses;
};

/// Abandons the look-up when its asker goes.
class Asker {
 public:
  explicit Asker(std::shared_ptr<Lookup> lookup) : lookup_{std::move(lookup)} {}
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() {
    const std::lock_guard lock{lookup_->mutex};
    lookup_->abandoned = true;
    lookup_->executor = {};
  }

 private:
  std::shared_ptr<Lookup> lookup_;
};

std::vector<asio::ip::address> to_addresses(const addrinfo* list) {
  std::vector<asio::ip::address> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    tcp::endpoint endpoint;
    if (entry->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
    endpoint.resize(entry->ai_addrlen);
    addresses.push_back(endpoint.address());
  }
  return addresses;
}

void look_up(const std::shared_ptr<Lookup>& lookup) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(lookup->host.c_str(), nullptr, &hints, &list);
  auto addresses = status == 0 ? to_addresses(list) : std::vector<asio::ip::address>{};
  if (list != nullptr) ::freeaddrinfo(list);
  --lookups_under_way;

  const std::lock_guard lock{lookup->mutex};
  if (lookup->abandoned) return;
  lookup->status = status;
  lookup->addresses = std::move(addresses);
  asio::post(lookup->executor, [lookup] {
    const std::lock_guard posted{lookup->mutex};
    if (lookup->abandoned) return;
    lookup->finished = true;
    lookup->done->cancel();
  });
}

std::vector<tcp::endpoint> with_port(const std::vector<asio::ip::address>& addresses,
                                     std::uint16_t port) {
  std::vector<tcp::endpoint> endpoints;
  for (const auto& address : addresses) endpoints.emplace_back(address, port);
  return endpoints;
}

bool start_thread(const std::shared_ptr<Lookup>& lookup) {
  if (++lookups_under_way > lookups_max) {
    --lookups_under_way;
    return false;
  }
  try {
    std::thread{look_up, lookup}.detach();
    return true;
  } catch (const std::system_error&) {
    --lookups_under_way;
    return false;
  }
}

}  // namespace

Task<Result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                 Clock::time_point until) {
  boost::system::error_code not_numeric;
  const auto address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) co_return std::vector<tcp::endpoint>{tcp::endpoint{address, port}};
  if (host == "localhost") {
    co_return std::vector<tcp::endpoint>{tcp::endpoint{asio::ip::address_v4::loopback(), port},
                                         tcp::endpoint{asio::ip::address_v6::loopback(), port}};
  }

  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer done{executor, until};
  const auto lookup = std::make_shared<Lookup>();
  lookup->host = host;
  lookup->executor = executor;
  lookup->done = &done;
  const Asker asker{lookup};
  if (!start_thread(lookup)) {
    co_return Error{Errc::unresolved, "looking up " + host + ": too many look-ups still hang"};
  }
  const auto [ec] = co_await done.async_wait(as_result);
  if (!lookup->finished) {
    if (ec) co_return Error{Errc::cancelled, "looking up " + host + " was cancelled"};
    co_return Error{Errc::timed_out, "looking up " + host + " took too long"};
  }
  auto endpoints = with_port(lookup->addresses, port);
  if (endpoints.empty()) {
    const char* why = lookup->status == 0 ? "it has no address" : ::gai_strerror(lookup->status);
    co_return Error{Errc::unresolved, "looking up " + host + ": " + why};
  }
  co_return endpoints;
}

}  // namespace holdfast::net
