#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <core/assert.hpp>
#include <cstring>
#include <list>
#include <net/byte_stream.hpp>
#include <net/http.hpp>
#include <net/http_wire.hpp>
#include <net/listener.hpp>
#include <net/waiting.hpp>
#include <net/websocket_accept.hpp>

namespace holdfast::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::string_body>;

constexpr std::chrono::milliseconds body_silence_max{30'000};
constexpr std::size_t refusals_max = 64;  ///< connections that are being told 503 at one time

std::string address_of(const StreamSocket& socket) {
  error_code ec;
  const auto remote = socket.remote_endpoint(ec);
  if (ec || remote.protocol().family() == AF_UNIX) return "unix";
  asio::ip::tcp::endpoint tcp;
  if (remote.size() > tcp.capacity()) return "unknown";
  std::memcpy(tcp.data(), remote.data(), remote.size());
  tcp.resize(remote.size());
  return tcp.address().to_string();
}

Task<Result<void>> write_all(ByteStream* stream, std::string_view head, std::string_view body) {
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(body)};
  const auto [ec, n] = co_await asio::async_write(*stream, buffers, as_result);
  if (ec) co_return to_error(ec, "writing the response");
  co_return Result<void>{};
}

/// What the connections of a server share with it. The server's end closes them.
struct ServerState {
  struct Connection {
    std::weak_ptr<ByteStream::Impl> stream;
    bool idle = true;
  };
  using Connections = std::list<Connection>;

  HttpServerOptions options;
  HttpHandler handler;
  Connections list;       ///< those that speak HTTP
  std::size_t count = 0;  ///< all, with WebSockets
  std::size_t refusals = 0;
  std::size_t bodies_bytes = 0;  ///< of the requests that are read or being answered
  bool stopping = false;

  void stop() {
    stopping = true;
    for (const Connection& connection : list) {
      if (connection.idle) net::close(connection.stream);
    }
  }
  void end() {
    stop();
    for (const Connection& connection : list) net::close(connection.stream);
  }
};

/// Counts a connection until it has ended, also after it became a WebSocket.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<ServerState> server) : server_{std::move(server)} {
    ++server_->count;
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { --server_->count; }

 private:
  std::shared_ptr<ServerState> server_;
};

/// What one request's body takes of the memory for all bodies.
class BodyShare {
 public:
  explicit BodyShare(ServerState* server) : server_{server} {}
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  ~BodyShare() { server_->bodies_bytes -= bytes_; }

  /// Makes it `bytes` in all; false if that is too much.
  [[nodiscard]] bool grow_to(std::size_t bytes) {
    if (bytes <= bytes_) return true;
    const std::size_t more = bytes - bytes_;
    if (server_->bodies_bytes + more > server_->options.all_bodies_bytes_max) return false;
    server_->bodies_bytes += more;
    bytes_ = bytes;
    return true;
  }

 private:
  ServerState* server_;
  std::size_t bytes_ = 0;
};

/// A stream of pieces. Reads (and drops) what the peer sends only to notice its end.
class ChunkedStream final : public ResponseStream,
                            public std::enable_shared_from_this<ChunkedStream> {
 public:
  explicit ChunkedStream(ByteStreamPtr stream) : stream_{std::move(stream)} {}

  Task<Result<void>> write(std::string_view piece) override {
    return write_chunk(shared_from_this(), piece);
  }
  [[nodiscard]] bool is_open() const override { return open_; }

  [[nodiscard]] ByteStream& stream() { return *stream_; }

  static Task<> watch(std::shared_ptr<ChunkedStream> self) {
    std::array<char, 512> dropped;
    for (;;) {
      const auto [ec, n] =
          co_await self->stream_->async_read_some(asio::buffer(dropped), as_result);
      if (ec) break;
    }
    self->open_ = false;
    self->stream_->close();
  }
  /// Writes the last chunk.
  static Task<> finish(std::shared_ptr<ChunkedStream> self) {
    const auto turn = co_await self->turns_.take();
    if (self->open_) (void)co_await write_all(self->stream_.get(), "0\r\n\r\n", {});
    self->stream_->shutdown_send();
    self->finished_ = true;
  }

 private:
  static Task<Result<void>> write_chunk(std::shared_ptr<ChunkedStream> self,
                                        std::string_view piece) {
    const auto turn = co_await self->turns_.take();
    if (!self->open_ || self->finished_) co_return Error{Errc::closed, "the peer has closed"};
    if (piece.empty()) co_return Result<void>{};
    const std::string size = hex(piece.size()) + "\r\n";
    const std::array<asio::const_buffer, 3> buffers{asio::buffer(size), asio::buffer(piece),
                                                    asio::buffer("\r\n", 2)};
    const auto [ec, n] = co_await asio::async_write(*self->stream_, buffers, as_result);
    if (!ec) co_return Result<void>{};
    self->open_ = false;
    co_return Error{Errc::closed, to_error(ec, "writing").message};
  }

  ByteStreamPtr stream_;
  Turns turns_;
  bool open_ = true;
  bool finished_ = false;
};

class ExchangeImpl final : public Exchange {
 public:
  ExchangeImpl(HttpRequest request, ByteStreamPtr& stream, boost::beast::flat_buffer& buffer,
               bool keep_alive)
      : request_{std::move(request)}, stream_{stream}, buffer_{buffer}, keep_alive_{keep_alive} {}

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  [[nodiscard]] HttpRequest& request() override { return request_; }

  Task<Result<std::shared_ptr<WebSocket>>> accept_websocket(
      std::size_t message_bytes_max) override {
    take();
    // What the peer sent behind its request is its first frames.
    const auto early = buffer_.cdata();
    stream_->put_back(std::string{static_cast<const char*>(early.data()), early.size()});
    buffer_.consume(early.size());
    auto accepted =
        co_await accept_websocket_over(std::move(stream_), &request_, message_bytes_max);
    co_return accepted;
  }

  Task<Result<std::shared_ptr<ResponseStream>>> start_stream(HttpResponse head) override {
    take();
    chunks_ = std::make_shared<ChunkedStream>(std::move(stream_));
    const std::string text = response_head(head, Framing::chunked, false);
    auto written = co_await write_all(&chunks_->stream(), text, {});
    if (!written) co_return written.error();
    asio::co_spawn(chunks_->stream().get_executor(), ChunkedStream::watch(chunks_),
                   IgnoreException{});
    co_return std::shared_ptr<ResponseStream>{chunks_};
  }

  Task<Result<void>> respond_acknowledged(HttpResponse response,
                                          std::chrono::milliseconds timeout) override {
    take();
    const auto until = Clock::now() + timeout;
    Deadline deadline{stream_->get_executor(), [weak = stream_->weak()] { net::cancel(weak); }};
    deadline.arm_at(until);
    const std::string text = response_head(response, Framing::whole, keep_alive_);
    const bool without_body = request_.method == "HEAD" || !may_have_body(response.status);
    auto written =
        co_await write_all(stream_.get(), text, without_body ? std::string_view{} : response.body);
    if (!written) keep_alive_ = false;
    if (!written && deadline.expired()) co_return Error{Errc::timed_out, "the peer does not read"};
    if (!written) co_return written.error();
    deadline.disarm();
    // The kernel tells how much is unacknowledged, but not when that changes.
    std::chrono::milliseconds pause{1};
    for (;;) {
      error_code ec;
      if (stream_->all_acknowledged(ec)) co_return Result<void>{};
      if (ec) keep_alive_ = false;
      if (ec) co_return to_error(ec, "waiting until the response has arrived");
      if (Clock::now() >= until) {
        keep_alive_ = false;
        co_return Error{Errc::timed_out, "the peer has not acknowledged the response"};
      }
      co_await wait_for(pause);
      pause = std::min(pause * 2, std::chrono::milliseconds{8});
    }
  }

  void abort() override {
    take();
    keep_alive_ = false;
    stream_->close();
  }

  [[nodiscard]] bool taken() const noexcept { return taken_; }
  /// After `respond_acknowledged`: whether the connection can serve the next request.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  [[nodiscard]] const std::shared_ptr<ChunkedStream>& chunks() const noexcept { return chunks_; }

 private:
  void take() {
    HF_ASSERT(!taken_);
    taken_ = true;
  }

  HttpRequest request_;
  ByteStreamPtr& stream_;
  boost::beast::flat_buffer& buffer_;
  bool keep_alive_;
  bool taken_ = false;
  std::shared_ptr<ChunkedStream> chunks_;
};

HttpResponse error_response(int status, std::string_view message, std::string_view code) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body =
      "{\"error\":\"" + std::string{message} + "\",\"code\":\"" + std::string{code} + "\"}";
  return response;
}

/// What to answer to a request that could not be read; nothing where the peer is just gone.
std::optional<HttpResponse> answer_to(const error_code& ec) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return error_response(431, "the request's header is too large", "too_large");
  }
  if (ec == http::error::body_limit) {
    return error_response(413, "the request's body is too large", "too_large");
  }
  if (ec == http::error::end_of_stream || ec == http::error::partial_message) return std::nullopt;
  if (ec.category() == make_error_code(http::error::bad_method).category()) {
    return error_response(400, "the request is not valid HTTP/1.1", "invalid_argument");
  }
  return std::nullopt;
}

/// One connection: its requests one after the other, each read when the one before is answered.
class Connection {
 public:
  Connection(std::shared_ptr<ServerState> server, StreamSocket socket)
      : server_{std::move(server)},
        peer_{address_of(socket)},
        stream_{new ByteStream{std::move(socket), std::make_shared<Ticket>(server_)}},
        entry_{server_->list.insert(server_->list.end(),
                                    ServerState::Connection{stream_->weak(), true})},
        deadline_{stream_->get_executor(), [weak = stream_->weak()] { net::cancel(weak); }},
        buffer_{server_->options.header_bytes_max + (64u << 10)} {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { server_->list.erase(entry_); }

  static Task<> run(std::shared_ptr<ServerState> server, StreamSocket socket) {
    Connection connection{std::move(server), std::move(socket)};
    bool first = true;
    for (;;) {
      const bool more = co_await connection.serve_one(first);
      if (!more) co_return;
      first = false;
    }
  }

 private:
  /// Reads and answers one request; whether another may follow.
  Task<bool> serve_one(bool first) {
    if (!co_await wait_for_request(first)) co_return false;
    entry_->idle = false;
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(server_->options.header_bytes_max));
    parser.body_limit(server_->options.body_bytes_max);
    BodyShare share{server_.get()};
    auto refused = co_await read_request(&parser, &share);
    deadline_.disarm();
    if (refused.gone) co_return false;
    if (refused.response) {
      co_await refuse(std::move(*refused.response));
      co_return false;
    }
    const bool keep_alive = parser.keep_alive() && !server_->stopping;
    ExchangeImpl exchange{to_request(parser), stream_, buffer_, keep_alive};
    std::optional<HttpResponse> response;
    bool failed = false;
    try {
      auto answering = server_->handler(exchange);
      response = co_await std::move(answering);
    } catch (const std::exception&) {
      failed = true;
    }
    co_return co_await conclude(&exchange, std::move(response), failed);
  }

  Task<bool> wait_for_request(bool first) {
    if (buffer_.size() > 0) {
      deadline_.arm(server_->options.header_timeout);
      co_return true;
    }
    if (server_->stopping) co_return false;
    entry_->idle = true;
    buffer_.shrink_to_fit();
    deadline_.arm(first ? server_->options.header_timeout : server_->options.idle_timeout);
    const auto [ec, n] = co_await stream_->async_wait_readable(as_result);
    if (ec) co_return false;
    if (!first) deadline_.arm(server_->options.header_timeout);
    co_return true;
  }

  /// Why a request is not passed on: an answer to give, or nobody there to give it to.
  struct Refusal {
    std::optional<HttpResponse> response;
    bool gone = false;
  };

  Task<Refusal> read_request(Parser* parser, BodyShare* share) {
    Refusal refusal;
    const auto [header_error, n] =
        co_await http::async_read_header(*stream_, buffer_, *parser, as_result);
    if (header_error) {
      refusal = refusal_for(header_error);
      co_return refusal;
    }
    refusal.response = check(parser->get());
    if (!refusal.response && !share->grow_to(parser->content_length().value_or(0))) {
      refusal.response = no_room();
    }
    if (refusal.response) co_return refusal;
    if (!parser->is_done() && expects_continue(parser->get())) {
      auto written = co_await write_all(stream_.get(), "HTTP/1.1 100 Continue\r\n\r\n", {});
      refusal.gone = !written;
      if (!written) co_return refusal;
    }
    while (!parser->is_done()) {
      deadline_.arm(body_silence_max);
      const auto [body_error, m] =
          co_await http::async_read_some(*stream_, buffer_, *parser, as_result);
      if (body_error) {
        refusal = refusal_for(body_error);
        co_return refusal;
      }
      if (!share->grow_to(parser->get().body().size())) {
        refusal.response = no_room();
        co_return refusal;
      }
    }
    co_return refusal;
  }

  static HttpResponse no_room() {
    HttpResponse response =
        error_response(503, "too many large requests at one time", "unavailable");
    response.headers.emplace_back("Retry-After", "5");
    return response;
  }

  Refusal refusal_for(const error_code& ec) const {
    Refusal refusal;
    if (deadline_.expired() && ec == asio::error::operation_aborted) {
      refusal.response = error_response(408, "the request came too slowly", "timed_out");
    } else {
      refusal.response = answer_to(ec);
    }
    refusal.gone = !refusal.response;
    return refusal;
  }

  static std::optional<HttpResponse> check(const http::request<http::string_body>& request) {
    const auto hosts = request.count(http::field::host);
    if (hosts > 1 || (hosts == 0 && request.version() >= 11)) {
      return error_response(400, "the request needs exactly one Host header", "invalid_argument");
    }
    if (request.count(http::field::transfer_encoding) > 0 && !request.chunked()) {
      return error_response(501, "the request's Transfer-Encoding is not supported", "unsupported");
    }
    return std::nullopt;
  }

  static bool expects_continue(const http::request<http::string_body>& request) {
    return request.version() >= 11 &&
           boost::beast::iequals(request[http::field::expect], "100-continue");
  }

  HttpRequest to_request(Parser& parser) const {
    auto message = parser.release();
    HttpRequest request;
    const auto method = message.method_string();
    const auto target = message.target();
    request.method.assign(method.data(), method.size());
    request.target = origin_form({target.data(), target.size()});
    for (const auto& field : message.base()) {
      const auto name = field.name_string();
      const auto value = field.value();
      request.headers.emplace_back(std::string{name.data(), name.size()},
                                   std::string{value.data(), value.size()});
    }
    request.body = std::move(message.body());
    request.peer = peer_;
    return request;
  }

  /// "http://host/path" as "/path": what a proxy's client sends.
  static std::string origin_form(std::string_view target) {
    if (!target.starts_with("http://") && !target.starts_with("https://")) {
      return std::string{target};
    }
    const auto slash = target.find('/', target.find("://") + 3);
    return slash == std::string_view::npos ? "/" : std::string{target.substr(slash)};
  }

  Task<bool> conclude(ExchangeImpl* exchange, std::optional<HttpResponse> response, bool failed) {
    if (exchange->taken()) {
      if (const auto& chunks = exchange->chunks()) co_await ChunkedStream::finish(chunks);
      co_return stream_ != nullptr && exchange->keep_alive() && !server_->stopping;
    }
    if (failed || !response) {
      response = error_response(500, "an internal error; it is our fault", "store_failed");
    }
    const bool keep_alive = exchange->keep_alive() && !server_->stopping;
    const std::string head = response_head(*response, Framing::whole, keep_alive);
    const bool without_body =
        exchange->request().method == "HEAD" || !may_have_body(response->status);
    auto written =
        co_await write_all(stream_.get(), head, without_body ? std::string_view{} : response->body);
    if (!written) co_return false;
    if (!keep_alive) (void)co_await stream_->async_linger(as_result);
    co_return keep_alive;
  }

  Task<> refuse(HttpResponse response) {
    const std::string head = response_head(response, Framing::whole, false);
    auto written = co_await write_all(stream_.get(), head, response.body);
    if (written) (void)co_await stream_->async_linger(as_result);
  }

  std::shared_ptr<ServerState> server_;
  std::string peer_;
  ByteStreamPtr stream_;
  ServerState::Connections::iterator entry_;
  Deadline deadline_;
  boost::beast::flat_buffer buffer_;
};

/// Tells a connection too many so, and closes it.
Task<> refuse_connection(std::shared_ptr<ServerState> server, StreamSocket socket) {
  struct Count {
    explicit Count(ServerState* s) : state{s} { ++state->refusals; }
    ~Count() { --state->refusals; }
    ServerState* state;
  } const count{server.get()};
  ByteStream stream{std::move(socket), nullptr};
  HttpResponse response = error_response(503, "too many connections", "unavailable");
  response.headers.emplace_back("Retry-After", "5");
  const std::string head = response_head(response, Framing::whole, false);
  auto written = co_await write_all(&stream, head, response.body);
  if (written) (void)co_await stream.async_linger(as_result);
}

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(std::shared_ptr<Listener> listener, std::shared_ptr<ServerState> state)
      : listener_{std::move(listener)}, state_{std::move(state)} {}
  HttpServerImpl(const HttpServerImpl&) = delete;
  HttpServerImpl& operator=(const HttpServerImpl&) = delete;
  ~HttpServerImpl() override {
    listener_->stop();
    state_->end();
  }

  [[nodiscard]] std::uint16_t port() const override { return listener_->port(); }
  void stop() override {
    listener_->stop();
    state_->stop();
  }
  [[nodiscard]] std::size_t connections() const override { return state_->count; }

 private:
  std::shared_ptr<Listener> listener_;
  std::shared_ptr<ServerState> state_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> listen_http(asio::io_context& io, Endpoint endpoint,
                                                HttpServerOptions options, HttpHandler handler) {
  auto listener = Listener::open(io, endpoint);
  if (!listener) return listener.error();
  const auto state = std::make_shared<ServerState>();
  state->options = options;
  state->handler = std::move(handler);
  (*listener)->start([&io, state](StreamSocket socket) {
    if (state->count < state->options.connections_max) {
      asio::co_spawn(io, Connection::run(state, std::move(socket)), IgnoreException{state});
    } else if (state->refusals < refusals_max) {
      asio::co_spawn(io, refuse_connection(state, std::move(socket)), IgnoreException{state});
    }
  });
  return std::unique_ptr<HttpServer>{std::make_unique<HttpServerImpl>(std::move(*listener), state)};
}

}  // namespace holdfast::net
