#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/this_coro.hpp>
#include <net/byte_stream.hpp>
#include <net/connect.hpp>
#include <net/resolve.hpp>
#include <net/waiting.hpp>

namespace holdfast::net {

using asio::ip::tcp;
using GenericEndpoint = asio::generic::stream_protocol::endpoint;

struct ByteStream::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(StreamSocket s) : socket{std::move(s)} {}

  StreamSocket socket;
  std::unique_ptr<asio::ssl::stream<StreamSocket&>> tls;
  std::string put_back;
  Clock::time_point last_byte_at = Clock::now();
  std::function<void()> on_bytes;
  std::shared_ptr<void> ticket;
  bool is_tcp = false;

  void note_bytes() {
    last_byte_at = Clock::now();
    if (on_bytes) on_bytes();
  }
  void close() noexcept {
    on_bytes = nullptr;
    error_code ignored;
    socket.close(ignored);
  }
};

namespace {

/// Keeps the stream until its operation is complete: TLS operations refer to it, and asio allows no
/// other order.
struct Completion {
  using executor_type = asio::any_io_executor;
  using cancellation_slot_type = asio::cancellation_slot;

  enum class Kind { read, other };

  Completion(std::shared_ptr<ByteStream::Impl> stream, IoHandler h, Kind k)
      : impl{std::move(stream)}, handler{std::move(h)}, kind{k} {}

  void operator()(error_code ec, std::size_t bytes = 0) {
    if (kind == Kind::read && bytes > 0) impl->note_bytes();
    handler(ec, bytes);
  }
  [[nodiscard]] executor_type get_executor() const noexcept { return handler.get_executor(); }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
    return handler.get_cancellation_slot();
  }

  std::shared_ptr<ByteStream::Impl> impl;
  IoHandler handler;
  Kind kind;
};

/// A completion without an operation.
struct Posted {
  using executor_type = asio::any_io_executor;
  Posted(Completion c, std::size_t n) : completion{std::move(c)}, bytes{n} {}
  void operator()() { completion({}, bytes); }
  [[nodiscard]] executor_type get_executor() const noexcept { return completion.get_executor(); }

  Completion completion;
  std::size_t bytes;
};

std::shared_ptr<asio::ssl::context> tls_client_context() {
  static const std::shared_ptr<asio::ssl::context> context = [] {
    auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    made->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1);
    made->set_default_verify_paths();
    made->set_verify_mode(asio::ssl::verify_peer);
    return made;
  }();
  return context;
}

/// Reads and drops what still comes, for a bounded time.
struct Linger : std::enable_shared_from_this<Linger> {
  Linger(std::shared_ptr<ByteStream::Impl> stream, IoHandler h)
      : impl{std::move(stream)},
        handler{std::move(h)},
        deadline{handler.get_executor(),
                 [weak = std::weak_ptr<ByteStream::Impl>{impl}] { net::cancel(weak); }} {}

  void run() {
    error_code ignored;
    impl->socket.shutdown(StreamSocket::shutdown_send, ignored);
    deadline.arm(ByteStream::linger_max);
    read();
  }
  void read() {
    impl->socket.async_read_some(
        asio::buffer(dropped),
        asio::bind_executor(handler.get_executor(),
                            [self = shared_from_this()](error_code ec, std::size_t bytes) {
                              self->read_bytes += bytes;
                              if (ec || self->read_bytes > bytes_max) {
                                self->deadline.disarm();
                                self->handler({}, 0);
                              } else {
                                self->read();
                              }
                            }));
  }

  static constexpr std::size_t bytes_max = 64u << 20;
  std::shared_ptr<ByteStream::Impl> impl;
  IoHandler handler;
  Deadline deadline;
  std::size_t read_bytes = 0;
  std::array<char, 8192> dropped;
};

}  // namespace

// --- ByteStream ---------------------------------------------------------------------------------

void ByteStreamDeleter::operator()(ByteStream* stream) const noexcept { delete stream; }

ByteStream::ByteStream(StreamSocket socket, std::shared_ptr<void> ticket)
    : impl_{std::make_shared<Impl>(std::move(socket))} {
  set_socket_options(impl_->socket);
  impl_->ticket = std::move(ticket);
  error_code ec;
  impl_->is_tcp = impl_->socket.local_endpoint(ec).protocol().family() != AF_UNIX;
}

ByteStream::~ByteStream() { close(); }

ByteStream::executor_type ByteStream::get_executor() const noexcept {
  return executor_of(impl_.get());
}

asio::any_io_executor ByteStream::executor_of(Impl* impl) noexcept {
  return impl->socket.get_executor();
}

void ByteStream::close() noexcept {
  if (impl_) impl_->close();
}

void ByteStream::cancel() noexcept { net::cancel(impl_); }

void ByteStream::shutdown_send() noexcept {
  error_code ignored;
  impl_->socket.shutdown(StreamSocket::shutdown_send, ignored);
}

void ByteStream::put_back(std::string bytes) { impl_->put_back.insert(0, bytes); }

void ByteStream::arm_quickack() noexcept {
  if (!impl_->is_tcp) return;
  const int on = 1;
  ::setsockopt(impl_->socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

bool ByteStream::has_input() const noexcept {
  char byte = 0;
  const auto n = ::recv(impl_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return !(n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

bool ByteStream::all_acknowledged(error_code& ec) const noexcept {
  const int fd = impl_->socket.native_handle();
  ec = {};
  if (impl_->is_tcp) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        info.tcpi_state == TCP_CLOSE) {
      ec = asio::error::connection_reset;
      return false;
    }
  }
  int unacknowledged = 0;
  if (::ioctl(fd, SIOCOUTQ, &unacknowledged) != 0) {
    ec = error_code{errno, boost::system::system_category()};
    return false;
  }
  return unacknowledged == 0;
}

bool ByteStream::is_tls() const noexcept { return impl_->tls != nullptr; }

std::chrono::steady_clock::time_point ByteStream::last_byte_at() const noexcept {
  return impl_->last_byte_at;
}

void ByteStream::on_bytes(std::function<void()> callback) { impl_->on_bytes = std::move(callback); }

void ByteStream::start_read(Impl* impl, const BufferArray<asio::mutable_buffer>& buffers,
                            IoHandler handler) {
  Completion completion{impl->shared_from_this(), std::move(handler), Completion::Kind::read};
  if (!impl->put_back.empty()) {
    const std::size_t n = asio::buffer_copy(buffers, asio::buffer(impl->put_back));
    impl->put_back.erase(0, n);
    if (impl->put_back.empty()) impl->put_back.shrink_to_fit();
    asio::post(impl->socket.get_executor(), Posted{std::move(completion), n});
  } else if (impl->tls) {
    impl->tls->async_read_some(buffers, std::move(completion));
  } else {
    impl->socket.async_read_some(buffers, std::move(completion));
  }
}

void ByteStream::start_write(Impl* impl, const BufferArray<asio::const_buffer>& buffers,
                             IoHandler handler) {
  Completion completion{impl->shared_from_this(), std::move(handler), Completion::Kind::other};
  if (impl->tls) {
    impl->tls->async_write_some(buffers, std::move(completion));
  } else {
    impl->socket.async_write_some(buffers, std::move(completion));
  }
}

void ByteStream::start_wait(Impl* impl, IoHandler handler) {
  Completion completion{impl->shared_from_this(), std::move(handler), Completion::Kind::other};
  if (!impl->put_back.empty()) {
    asio::post(impl->socket.get_executor(), Posted{std::move(completion), 0});
  } else {
    impl->socket.async_wait(StreamSocket::wait_read, std::move(completion));
  }
}

void ByteStream::start_linger(Impl* impl, IoHandler handler) {
  std::make_shared<Linger>(impl->shared_from_this(), std::move(handler))->run();
}

void cancel(const std::weak_ptr<ByteStream::Impl>& stream) noexcept {
  if (const auto impl = stream.lock()) {
    error_code ignored;
    impl->socket.cancel(ignored);
  }
}

void close(const std::weak_ptr<ByteStream::Impl>& stream) noexcept {
  if (const auto impl = stream.lock()) impl->close();
}

void set_socket_options(StreamSocket& socket) noexcept {
  error_code ec;
  const auto local = socket.local_endpoint(ec);
  if (ec || local.protocol().family() == AF_UNIX) return;
  const int on = 1;
  const unsigned dead_after_ms = 60'000;
  const int fd = socket.native_handle();
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_after_ms, sizeof dead_after_ms);
}

// --- Connecting ---------------------------------------------------------------------------------

namespace {

constexpr std::chrono::milliseconds refused_pause{25};

bool is_refusal(const error_code& ec) {
  return ec == asio::error::connection_refused ||
         ec == boost::system::errc::no_such_file_or_directory ||
         ec == boost::system::errc::resource_unavailable_try_again;
}

/// What a connect that seems to have worked really came to.
error_code verify_connected(StreamSocket& socket) {
  error_code ec;
  const auto remote = socket.remote_endpoint(ec);
  // A UNIX socket whose backlog is full: connect() gave EAGAIN, which looks like success later.
  if (ec == asio::error::not_connected) return asio::error::try_again;
  if (ec) return ec;
  const auto local = socket.local_endpoint(ec);
  // TCP allows a socket to connect to itself when its own port is drawn as the source port.
  if (!ec && local.protocol().family() != AF_UNIX && local == remote) {
    return asio::error::connection_refused;
  }
  return {};
}

struct Attempt {
  error_code ec;
  bool out_of_time = false;
  std::shared_ptr<ByteStream::Impl> stream;
};

Task<Attempt> connect_to(GenericEndpoint address, Clock::time_point until,
                         std::shared_ptr<ConnectCanceller> canceller) {
  const auto executor = co_await asio::this_coro::executor;
  Attempt attempt;
  attempt.stream = std::make_shared<ByteStream::Impl>(StreamSocket{executor});
  const std::weak_ptr<ByteStream::Impl> weak = attempt.stream;
  Deadline deadline{executor, [weak] { close(weak); }};
  deadline.arm_at(until);
  canceller->set_hook([weak] { close(weak); });

  auto [ec] = co_await attempt.stream->socket.async_connect(address, as_result);
  canceller->set_hook(nullptr);
  if (!ec) ec = verify_connected(attempt.stream->socket);
  attempt.ec = ec;
  attempt.out_of_time = deadline.expired();
  if (ec) attempt.stream.reset();
  co_return attempt;
}

/// Why the peer's certificate was not accepted, or what else went wrong.
Error tls_error(const Endpoint& endpoint, const asio::ssl::stream<StreamSocket&>& tls,
                const error_code& ec) {
  const long verified =
      ::SSL_get_verify_result(const_cast<asio::ssl::stream<StreamSocket&>&>(tls).native_handle());
  if (verified != X509_V_OK) {
    return Error{Errc::protocol,
                 "the TLS certificate of " + endpoint.to_string() +
                     " could not be verified: " + ::X509_verify_cert_error_string(verified)};
  }
  return to_error(ec, "TLS handshake with " + endpoint.to_string());
}

Task<Result<void>> start_tls(std::shared_ptr<ByteStream::Impl> impl, Endpoint endpoint,
                             Clock::time_point until, std::shared_ptr<ConnectCanceller> canceller) {
  const auto executor = co_await asio::this_coro::executor;
  const std::weak_ptr<ByteStream::Impl> weak = impl;
  impl->tls =
      std::make_unique<asio::ssl::stream<StreamSocket&>>(impl->socket, *tls_client_context());
  error_code not_an_address;
  (void)asio::ip::make_address(endpoint.host, not_an_address);
  if (not_an_address) {
    ::SSL_set_tlsext_host_name(impl->tls->native_handle(), endpoint.host.c_str());
  }
  error_code ec;
  impl->tls->set_verify_callback(asio::ssl::host_name_verification(endpoint.host), ec);
  Deadline deadline{executor, [weak] { close(weak); }};
  deadline.arm_at(until);
  canceller->set_hook([weak] { close(weak); });

  const auto [failed] =
      co_await impl->tls->async_handshake(asio::ssl::stream_base::client, as_result);
  canceller->set_hook(nullptr);
  if (!failed) co_return Result<void>{};
  if (deadline.expired()) {
    co_return Error{Errc::timed_out, "TLS handshake with " + endpoint.to_string() + ": no answer"};
  }
  co_return tls_error(endpoint, *impl->tls, failed);
}

Error timed_out(const Endpoint& endpoint) {
  return Error{Errc::timed_out, "connecting to " + endpoint.to_string() + ": no answer in time"};
}

Error called_off(const Endpoint& endpoint) {
  return Error{Errc::cancelled, "connecting to " + endpoint.to_string() + " was called off"};
}

Task<Result<std::vector<GenericEndpoint>>> addresses_of(Endpoint endpoint,
                                                        Clock::time_point until) {
  std::vector<GenericEndpoint> addresses;
  if (endpoint.kind == Endpoint::Kind::unix_socket) {
    if (endpoint.host.empty() || endpoint.host.size() > 107) {
      co_return Error{Errc::invalid_argument, "\"" + endpoint.host + "\" is no UNIX socket's path"};
    }
    addresses.emplace_back(asio::local::stream_protocol::endpoint{endpoint.host});
    co_return addresses;
  }
  auto resolved = co_await resolve(endpoint.host, endpoint.port, until);
  if (!resolved) co_return resolved.error();
  for (const auto& address : *resolved) addresses.emplace_back(address);
  co_return addresses;
}

}  // namespace

Task<Result<ByteStreamPtr>> connect(Endpoint endpoint, ConnectOptions options,
                                    std::shared_ptr<ConnectCanceller> canceller) {
  const auto until = Clock::now() + options.timeout;
  const auto repeat_until = std::min(until, Clock::now() + options.repeat_refused_for);
  const auto addresses = co_await addresses_of(endpoint, until);
  if (!addresses) co_return addresses.error();

  Attempt attempt;
  for (;;) {
    for (std::size_t i = 0; i < addresses->size(); ++i) {
      // Each address gets its share of the time that is left, so that a silent one cannot take all.
      const auto left = until - Clock::now();
      const auto share = left / static_cast<Clock::rep>(addresses->size() - i);
      attempt = co_await connect_to((*addresses)[i], Clock::now() + share, canceller);
      if (attempt.stream || canceller->cancelled()) break;
    }
    if (canceller->cancelled()) co_return called_off(endpoint);
    if (attempt.stream) break;
    if (!is_refusal(attempt.ec) || Clock::now() + refused_pause > repeat_until) {
      if (attempt.out_of_time) co_return timed_out(endpoint);
      co_return to_error(attempt.ec, "connecting to " + endpoint.to_string());
    }
    co_await wait_for(refused_pause);
    if (canceller->cancelled()) co_return called_off(endpoint);
  }

  attempt.stream->is_tcp = endpoint.kind != Endpoint::Kind::unix_socket;
  set_socket_options(attempt.stream->socket);
  if (endpoint.kind == Endpoint::Kind::tls) {
    auto secured = co_await start_tls(attempt.stream, endpoint, until, canceller);
    if (canceller->cancelled()) co_return called_off(endpoint);
    if (!secured) co_return secured.error();
  }
  co_return ByteStreamPtr{new ByteStream{std::move(attempt.stream)}};
}

Task<Result<ByteStreamPtr>> connect(Endpoint endpoint, ConnectOptions options) {
  return connect(std::move(endpoint), options, std::make_shared<ConnectCanceller>());
}

}  // namespace holdfast::net
