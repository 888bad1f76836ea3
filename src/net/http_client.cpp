#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <list>
#include <net/byte_stream.hpp>
#include <net/connect.hpp>
#include <net/http.hpp>
#include <net/http_wire.hpp>
#include <net/waiting.hpp>

namespace holdfast::net {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t idle_max = 4;
constexpr std::chrono::seconds idle_time_max{30};
constexpr std::uint32_t response_header_bytes_max = 64u << 10;

using Parser = http::response_parser<http::string_body>;

/// What a header must not hold, lest it end the header early.
bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
}

bool can_be_sent(const HttpRequest& request) {
  const bool target_fits = !request.target.empty() && is_clean(request.target) &&
                           request.target.find(' ') == std::string::npos;
  return target_fits && !request.method.empty() && is_clean(request.method) &&
         std::all_of(request.headers.begin(), request.headers.end(), [](const auto& pair) {
           return !pair.first.empty() && is_clean(pair.first) && is_clean(pair.second);
         });
}

std::string head_of(const HttpRequest& request, const Endpoint& endpoint) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (header(request.headers, "Host").empty()) {
    const bool is_unix = endpoint.kind == Endpoint::Kind::unix_socket;
    head += "Host: " + (is_unix ? "localhost" : endpoint.to_string()) + "\r\n";
  }
  if (header(request.headers, "User-Agent").empty()) head += "User-Agent: holdfast\r\n";
  for (const auto& [name, value] : request.headers) {
    if (is_framing_header(name)) continue;
    head += name + ": " + value + "\r\n";
  }
  const bool without_body =
      request.body.empty() && (request.method == "GET" || request.method == "HEAD");
  if (!without_body) head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  head += "\r\n";
  return head;
}

HttpResponse to_response(Parser& parser) {
  auto message = parser.release();
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message.base()) {
    const auto name = field.name_string();
    const auto value = field.value();
    response.headers.emplace_back(std::string{name.data(), name.size()},
                                  std::string{value.data(), value.size()});
  }
  response.body = std::move(message.body());
  return response;
}

}  // namespace

struct HttpClient::State : std::enable_shared_from_this<State> {
  struct Idle {
    ByteStreamPtr stream;
    Clock::time_point since;
  };
  /// A call under way, so that `close()` can end it.
  struct Call {
    std::shared_ptr<ConnectCanceller> connecting = std::make_shared<ConnectCanceller>();
    std::weak_ptr<ByteStream::Impl> stream;
  };
  using Calls = std::list<Call>;

  explicit State(Endpoint e) : endpoint{std::move(e)} {}

  Endpoint endpoint;
  std::list<Idle> idle;  // the one used last is at the back
  Calls calls;
  std::unique_ptr<Deadline> idle_end;
  Turns turns{HttpClient::calls_max};
  std::uint64_t closings = 0;

  ByteStreamPtr take_idle() {
    while (!idle.empty()) {
      ByteStreamPtr stream = std::move(idle.back().stream);
      idle.pop_back();
      if (!stream->has_input()) return stream;  // else the peer has closed it
    }
    return nullptr;
  }

  void keep(ByteStreamPtr stream) {
    if (idle.size() >= idle_max) idle.pop_front();
    if (!idle_end) {
      idle_end = std::make_unique<Deadline>(stream->get_executor(), [weak = weak_from_this()] {
        if (const auto alive = weak.lock()) alive->drop_old();
      });
    }
    idle.push_back(Idle{std::move(stream), Clock::now()});
    if (idle.size() == 1) idle_end->arm_at(idle.front().since + idle_time_max);
  }

  void drop_old() {
    while (!idle.empty() && idle.front().since + idle_time_max <= Clock::now()) idle.pop_front();
    if (!idle.empty()) idle_end->arm_at(idle.front().since + idle_time_max);
  }

  void close() {
    ++closings;
    idle.clear();
    if (idle_end) idle_end->disarm();
    for (const Call& call : calls) {
      call.connecting->cancel();
      net::close(call.stream);
    }
  }

  struct Outcome {
    std::optional<HttpResponse> response;
    Error error{Errc::closed, {}};
    RequestProgress progress = RequestProgress::nothing_written;
    bool answered = false;  ///< at least one byte of an answer came
    bool reusable = false;
  };
  static Task<Outcome> exchange(ByteStream* stream, const HttpRequest* request, std::string head);
  static Task<Result<HttpResponse>> call(std::shared_ptr<State> state, HttpRequest request,
                                         std::chrono::milliseconds timeout, HttpFailure* failure,
                                         bool fresh);
};

Task<HttpClient::State::Outcome> HttpClient::State::exchange(ByteStream* stream,
                                                             const HttpRequest* request,
                                                             std::string head) {
  Outcome outcome;
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(request->body)};
  const auto [write_error, sent] = co_await asio::async_write(*stream, buffers, as_result);
  // TLS may have written a record although it says that it took nothing.
  if (sent > 0 || stream->is_tls()) outcome.progress = RequestProgress::written;
  if (write_error && sent == 0) {
    outcome.error = to_error(write_error, "writing the request");
    co_return outcome;
  }
  // A peer may answer and close before it has read all of the request: look for the answer.
  boost::beast::flat_buffer buffer;
  for (;;) {
    Parser parser;
    parser.body_limit(HttpClient::body_bytes_max);
    parser.header_limit(response_header_bytes_max);
    if (request->method == "HEAD") parser.skip(true);
    const auto [ec, n] = co_await http::async_read(*stream, buffer, parser, as_result);
    if (parser.got_some() || n > 0) outcome.answered = true;
    if (ec) {
      outcome.error = to_error(ec, write_error ? "writing the request" : "reading the answer");
      co_return outcome;
    }
    if (parser.get().result_int() < 200) continue;  // 100 Continue and the like
    outcome.reusable = parser.keep_alive() && !write_error && buffer.size() == 0;
    outcome.response = to_response(parser);
    co_return outcome;
  }
}

Task<Result<HttpResponse>> HttpClient::State::call(std::shared_ptr<State> state,
                                                   HttpRequest request,
                                                   std::chrono::milliseconds timeout,
                                                   HttpFailure* failure, bool fresh) {
  HttpFailure ignored;
  HttpFailure& told = failure != nullptr ? *failure : ignored;
  told = HttpFailure{Error{Errc::closed, {}}, RequestProgress::nothing_written};
  if (!can_be_sent(request)) {
    told.error = Error{Errc::invalid_argument, "the request has a line break or a space too many"};
    co_return told.error;
  }
  const auto until = Clock::now() + timeout;
  const std::uint64_t closings = state->closings;
  const bool repeatable = request.method == "GET" || request.method == "HEAD";
  const std::string where = state->endpoint.to_string();
  const auto executor = co_await asio::this_coro::executor;

  const auto turn = co_await state->turns.take_until(until);
  if (!turn) {
    told.error = Error{Errc::timed_out, "too many calls to " + where + " are under way"};
    co_return told.error;
  }
  const auto call = state->calls.emplace(state->calls.end());
  struct Done {
    State* state;
    Calls::iterator call;
    ~Done() { state->calls.erase(call); }
  } const done{state.get(), call};

  for (bool first = true;; first = false) {
    if (state->closings != closings) {
      told.error = Error{Errc::cancelled, "the call to " + where + " was called off"};
      co_return told.error;
    }
    ByteStreamPtr stream = fresh || !first ? nullptr : state->take_idle();
    const bool reused = stream != nullptr;
    if (!reused) {
      ConnectOptions options;
      options.timeout = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      auto connected = co_await connect(state->endpoint, options, call->connecting);
      if (!connected) {
        told.error = connected.error();
        co_return told.error;
      }
      stream = std::move(*connected);
    }
    call->stream = stream->weak();
    Deadline deadline{executor, [weak = stream->weak()] { net::close(weak); }};
    deadline.arm_at(until);
    auto outcome = co_await exchange(stream.get(), &request, head_of(request, state->endpoint));
    deadline.disarm();
    if (outcome.response) {
      if (outcome.reusable && state->closings == closings) state->keep(std::move(stream));
      co_return std::move(*outcome.response);
    }
    told.progress = outcome.progress;
    told.error = std::move(outcome.error);
    if (state->closings != closings) {
      told.error = Error{Errc::cancelled, "the call to " + where + " was called off"};
    } else if (deadline.expired()) {
      told.error = Error{Errc::timed_out, where + " did not answer in time"};
    } else if (reused && repeatable && !outcome.answered) {
      continue;  // The peer closed a kept connection as we used it; a GET may be repeated.
    }
    co_return told.error;
  }
}

HttpClient::HttpClient(Endpoint endpoint) : state_{std::make_shared<State>(std::move(endpoint))} {}

HttpClient::~HttpClient() { close(); }

Task<Result<HttpResponse>> HttpClient::call(HttpRequest request, std::chrono::milliseconds timeout,
                                            HttpFailure* failure, bool fresh) {
  return State::call(state_, std::move(request), timeout, failure, fresh);
}

void HttpClient::close() { state_->close(); }

}  // namespace holdfast::net
