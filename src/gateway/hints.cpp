#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <gateway/hints.hpp>
#include <set>
#include <utility>

namespace holdfast::gateway {
namespace {

constexpr std::chrono::milliseconds look_every{50};

/// What a UNIX socket's path leads to: another inode or change time is another socket.
using FileStamp = std::tuple<dev_t, ino_t, time_t, long>;

FileStamp stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

/// The ports of `family` that listen now, by one sock_diag request (no connect: the peer would see
/// it). Nothing where the kernel has no sock_diag; then only time ends the wait.
void add_listening_ports(std::uint8_t family, std::set<std::uint16_t>& ports) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 query;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.query.sdiag_family = family;
  request.query.sdiag_protocol = IPPROTO_TCP;
  request.query.idiag_states = 1u << TCP_LISTEN;
  if (::send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request)) {
    alignas(nlmsghdr) std::array<char, 16'384> buffer;
    for (bool more = true; more;) {
      ssize_t left = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (left <= 0) break;
      const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
      for (; NLMSG_OK(message, static_cast<std::size_t>(left));
           message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
          more = false;
          break;
        }
        const auto* found = static_cast<const inet_diag_msg*>(NLMSG_DATA(message));
        ports.insert(ntohs(found->id.idiag_sport));
      }
    }
  }
  ::close(fd);
}

/// A socket that tells of changed addresses and routes; -1 where there is none.
int open_route_socket() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return -1;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups =
      RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

struct Hints::State : std::enable_shared_from_this<Hints::State> {
  State(net::asio::io_context& context, OnHint callback)
      : timer{context}, routes{context}, on_hint{std::move(callback)} {}

  struct Watch {
    net::Endpoint endpoint;
    FileStamp stamp{};       ///< of a UNIX socket when the last attempt began
    bool listening = false;  ///< what was seen last of a TCP port
    bool waits = false;
  };

  net::asio::steady_timer timer;
  net::asio::posix::stream_descriptor routes;
  OnHint on_hint;
  std::map<std::uint32_t, Watch> watches;
  bool looking = false;
  bool stopped = false;

  [[nodiscard]] bool waits_for_local() const {
    for (const auto& [link, watch] : watches)
      if (watch.waits && watch.endpoint.is_local()) return true;
    return false;
  }

  void look() {
    if (looking || stopped || !waits_for_local()) return;
    looking = true;
    timer.expires_after(look_every);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      self->looking = false;
      if (ec || self->stopped) return;
      self->compare();
      self->look();
    });
  }

  void compare() {
    std::set<std::uint16_t> ports;
    bool asked = false;
    std::map<std::uint32_t, std::string> news;
    for (auto& [link, watch] : watches) {
      if (!watch.waits || !watch.endpoint.is_local()) continue;
      if (watch.endpoint.kind == net::Endpoint::Kind::unix_socket) {
        const FileStamp stamp = stamp_of(watch.endpoint.host);
        if (stamp != watch.stamp && stamp != FileStamp{})
          news[link] = "the bridge's socket appeared";
        watch.stamp = stamp;
      } else {
        if (!std::exchange(asked, true)) {
          add_listening_ports(AF_INET, ports);
          add_listening_ports(AF_INET6, ports);
        }
        const bool listening = ports.contains(watch.endpoint.port);
        if (listening && !watch.listening)
          news[link] = "port " + std::to_string(watch.endpoint.port) + " listens";
        watch.listening = listening;
      }
    }
    for (const auto& [link, evidence] : news) on_hint(link, evidence);
  }

  static net::Task<> listen_to_routes(std::shared_ptr<State> self) {
    std::array<char, 8'192> buffer;
    while (!self->stopped) {
      auto [ec, size] =
          co_await self->routes.async_read_some(net::asio::buffer(buffer), net::as_result);
      if (ec == net::asio::error::no_buffer_space) continue;  // too much at once is news as well
      if (ec) co_return;
      std::map<std::uint32_t, Watch> waiting = self->watches;
      for (const auto& [link, watch] : waiting)
        if (watch.waits && !watch.endpoint.is_local())
          self->on_hint(link, "an address or a route of this machine changed");
    }
  }
};

Hints::Hints(net::asio::io_context& io, OnHint on_hint)
    : state_{std::make_shared<State>(io, std::move(on_hint))} {
  if (const int fd = open_route_socket(); fd >= 0) {
    state_->routes.assign(fd);
    net::asio::co_spawn(io, State::listen_to_routes(state_), net::asio::detached);
  }
}

Hints::~Hints() { stop(); }

void Hints::stop() {
  state_->stopped = true;
  state_->timer.cancel();
  boost::system::error_code ignored;
  state_->routes.close(ignored);
}

void Hints::attempt(std::uint32_t link, const net::Endpoint& endpoint) {
  State::Watch& watch = state_->watches[link];
  watch.endpoint = endpoint;
  watch.waits = false;
  if (endpoint.kind == net::Endpoint::Kind::unix_socket) watch.stamp = stamp_of(endpoint.host);
}

void Hints::waiting(std::uint32_t link, const net::Endpoint& endpoint, bool refused) {
  State::Watch& watch = state_->watches[link];
  watch.endpoint = endpoint;
  // After a refusal a listener is news; a bridge that listens and does not answer is none.
  watch.listening = !refused;
  watch.waits = true;
  state_->look();
}

void Hints::done(std::uint32_t link) { state_->watches[link].waits = false; }

}  // namespace holdfast::gateway
