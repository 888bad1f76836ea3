#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <core/assert.hpp>
#include <net/byte_stream.hpp>
#include <net/waiting.hpp>
#include <net/websocket.hpp>
#include <net/websocket_accept.hpp>

namespace holdfast::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

using BeastStream = websocket::stream<ByteStream, false>;  // false: no permessage-deflate

constexpr std::chrono::milliseconds close_wait{1'000};
constexpr std::size_t failure_body_bytes_max = 4u << 10;
constexpr std::size_t keep_bytes_max = 16u << 10;

/// What the coroutines of a WebSocket share with the object its owner holds. They keep it alive;
/// the owner's end aborts the connection, and the coroutines end with `closed`.
struct State {
  State(ByteStreamPtr stream, std::size_t message_bytes_max) : beast{std::move(*stream)} {
    beast.set_option(websocket::stream_base::timeout{websocket::stream_base::none(),
                                                     websocket::stream_base::none(), false});
    beast.read_message_max(message_bytes_max);
    beast.auto_fragment(false);
    beast.text(true);
    beast.control_callback([this](websocket::frame_type kind, beast::string_view payload) {
      if (kind == websocket::frame_type::pong && owner != nullptr && owner->on_pong) {
        owner->on_pong(std::string_view{payload.data(), payload.size()});
      }
    });
    beast.next_layer().on_bytes([this] {
      if (owner != nullptr && owner->on_activity) owner->on_activity();
    });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void abort() {
    aborted = true;
    beast.next_layer().close();
  }

  BeastStream beast;
  Turns write_turns;
  WebSocket* owner = nullptr;
  std::string incoming;
  bool reading = false;
  bool closing = false;
  bool aborted = false;
};

Error ended_here() { return Error{Errc::closed, "the connection was ended here"}; }

Error read_error(const State& state, const error_code& ec) {
  if (ec == websocket::error::closed) {
    const auto& reason = state.beast.reason();
    std::string message = "the peer closed the WebSocket with code " + std::to_string(reason.code);
    if (!reason.reason.empty()) {
      message += " (" + std::string{reason.reason.data(), reason.reason.size()} + ")";
    }
    return Error{Errc::closed, std::move(message)};
  }
  if (state.aborted || (state.closing && ec == asio::error::operation_aborted)) return ended_here();
  return to_error(ec, "reading from the WebSocket");
}

/// The message in `incoming`. A small one is copied, so that the buffer is kept for the next; a
/// large one is moved out, so that an idle connection holds no large buffer.
std::string take_message(State& state) {
  std::string message;
  if (state.incoming.size() > keep_bytes_max) {
    message = std::move(state.incoming);
    state.incoming = std::string{};
    if (message.capacity() > message.size() + message.size() / 4) message.shrink_to_fit();
  } else {
    message.assign(state.incoming.data(), state.incoming.size());
    state.incoming.clear();
  }
  return message;
}

Task<Result<std::string>> read(std::shared_ptr<State> state) {
  HF_ASSERT(!state->reading);
  state->reading = true;
  struct Done {
    State* state;
    ~Done() { state->reading = false; }
  } const done{state.get()};

  if (state->aborted) co_return ended_here();
  auto buffer = asio::dynamic_buffer(state->incoming);
  const auto [ec, n] = co_await state->beast.async_read(buffer, as_result);
  if (ec) {
    state->beast.next_layer().close();
    co_return read_error(*state, ec);
  }
  co_return take_message(*state);
}

Result<void> written(const State& state, const error_code& ec) {
  if (!ec) return {};
  if (state.aborted || state.closing) return ended_here();
  return to_error(ec, "writing to the WebSocket");
}

Task<Result<void>> write_text(std::shared_ptr<State> state, std::string_view text) {
  const auto turn = co_await state->write_turns.take();
  if (state->aborted || state->closing) co_return ended_here();
  const auto [ec, n] = co_await state->beast.async_write(asio::buffer(text), as_result);
  co_return written(*state, ec);
}

Task<Result<void>> ping(std::shared_ptr<State> state, std::string payload) {
  const auto turn = co_await state->write_turns.take();
  if (state->aborted || state->closing) co_return ended_here();
  websocket::ping_data data;
  HF_ASSERT(payload.size() <= data.max_size());
  data.assign(payload.begin(), payload.end());
  const auto [ec] = co_await state->beast.async_ping(data, as_result);
  co_return written(*state, ec);
}

Task<> close_politely(std::shared_ptr<State> state, std::uint16_t code, std::string reason) {
  if (state->aborted || state->closing) co_return;
  state->closing = true;
  Deadline deadline{state->beast.get_executor(), [weak = std::weak_ptr<State>{state}] {
                      if (const auto alive = weak.lock()) alive->abort();
                    }};
  deadline.arm(close_wait);
  const auto turn = co_await state->write_turns.take();
  if (!state->aborted && state->beast.is_open()) {
    websocket::close_reason why{static_cast<websocket::close_code>(code)};
    why.reason.assign(reason.begin(), reason.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                           reason.size(), why.reason.max_size())));
    (void)co_await state->beast.async_close(why, as_result);
  }
  state->abort();
}

class WebSocketImpl final : public WebSocket {
 public:
  explicit WebSocketImpl(std::shared_ptr<State> state) : state_{std::move(state)} {
    state_->owner = this;
  }
  WebSocketImpl(const WebSocketImpl&) = delete;
  WebSocketImpl& operator=(const WebSocketImpl&) = delete;
  ~WebSocketImpl() override {
    state_->owner = nullptr;
    state_->abort();
  }

  Task<Result<std::string>> read() override { return net::read(state_); }
  Task<Result<void>> write_text(std::string_view text) override {
    return net::write_text(state_, text);
  }
  Task<Result<void>> ping(std::string payload) override {
    return net::ping(state_, std::move(payload));
  }
  Task<void> close(std::uint16_t code, std::string reason) override {
    return net::close_politely(state_, code, std::move(reason));
  }
  void abort() override { state_->abort(); }

 private:
  std::shared_ptr<State> state_;
};

std::string host_header(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::unix_socket) return "localhost";
  return endpoint.to_string();
}

void set_name(http::fields& fields, http::field field) { fields.set(field, "holdfast"); }

HandshakeFailure describe_failure(const error_code& ec, const websocket::response_type& response,
                                  const Endpoint& endpoint, bool out_of_time) {
  HandshakeFailure failure;
  const std::string where = endpoint.to_string();
  const bool answered =
      ec.category() == websocket::make_error_code(websocket::error::upgrade_declined).category();
  if (answered) {
    failure.status = static_cast<int>(response.result_int());
    failure.body = response.body().substr(0, failure_body_bytes_max);
    const auto retry_after = response[http::field::retry_after];
    failure.retry_after.assign(retry_after.data(), retry_after.size());
    failure.error =
        Error{Errc::protocol, where + " answered HTTP " + std::to_string(failure.status) +
                                  " instead of opening a WebSocket"};
  } else if (out_of_time) {
    failure.error =
        Error{Errc::timed_out, where + " did not answer the WebSocket handshake in time"};
  } else {
    failure.error = to_error(ec, "opening a WebSocket at " + where);
  }
  return failure;
}

}  // namespace

Task<Result<WebSocketPtr>> open_websocket(Endpoint endpoint, WebSocketOptions options,
                                          HandshakeFailure* failure) {
  HandshakeFailure ignored;
  HandshakeFailure& told = failure != nullptr ? *failure : ignored;
  told = HandshakeFailure{};
  const auto until = Clock::now() + options.connect.timeout;

  auto stream = co_await connect(endpoint, options.connect);
  if (!stream) {
    told.error = stream.error();
    co_return stream.error();
  }
  const auto state = std::make_shared<State>(std::move(*stream), options.message_bytes_max);
  state->beast.set_option(websocket::stream_base::decorator(
      [](websocket::request_type& request) { set_name(request, http::field::user_agent); }));
  Deadline deadline{state->beast.get_executor(), [weak = std::weak_ptr<State>{state}] {
                      if (const auto alive = weak.lock()) alive->abort();
                    }};
  deadline.arm_at(until);
  websocket::response_type response;
  const std::string host = host_header(endpoint);
  const std::string target = options.target.empty() ? "/" : options.target;
  const auto [ec] = co_await state->beast.async_handshake(response, host, target, as_result);
  deadline.disarm();
  if (ec) {
    told = describe_failure(ec, response, endpoint, state->aborted);
    state->abort();
    co_return told.error;
  }
  co_return WebSocketPtr{std::make_shared<WebSocketImpl>(state)};
}

Task<Result<WebSocketPtr>> accept_websocket_over(ByteStreamPtr stream, const HttpRequest* request,
                                                 std::size_t message_bytes_max) {
  http::request<http::empty_body> upgrade;
  upgrade.method_string(request->method);
  upgrade.target(request->target);
  upgrade.version(11);
  for (const auto& [name, value] : request->headers) upgrade.insert(name, value);

  const auto state = std::make_shared<State>(std::move(stream), message_bytes_max);
  state->beast.set_option(websocket::stream_base::decorator(
      [](websocket::response_type& response) { set_name(response, http::field::server); }));
  const auto [ec] = co_await state->beast.async_accept(upgrade, as_result);
  if (ec) {
    state->abort();
    co_return to_error(ec, "accepting a WebSocket");
  }
  co_return WebSocketPtr{std::make_shared<WebSocketImpl>(state)};
}

}  // namespace holdfast::net
