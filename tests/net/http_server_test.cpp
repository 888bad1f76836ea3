#include <gmock/gmock.h>

#include <net/http.hpp>
#include <net/websocket.hpp>

#include "harness.hpp"

namespace holdfast::net::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view get = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

HttpResponse text(std::string body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

/// Answers with method, target and body.
Task<std::optional<HttpResponse>> mirror(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  co_return text(request.method + " " + request.target + " " + request.body);
}

std::unique_ptr<HttpServer> serve(Loop& loop, HttpHandler handler, HttpServerOptions options = {}) {
  auto server = listen_http(loop.io, tcp_at(0), options, std::move(handler));
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

TEST(HttpServer, AnswersOneRequestAfterTheOtherOnOneConnection) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  for (int i = 0; i < 3; ++i) {
    peer.write("POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    const std::string answer = peer.read_until("POST /a?b=c body");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 16\r\n"));
    EXPECT_THAT(answer, HasSubstr("Connection: keep-alive\r\n"));
    EXPECT_THAT(answer, HasSubstr("Date: "));
  }
  EXPECT_EQ(server->connections(), 1u);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    requests += "POST /" + number +
                " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(number.size()) +
                "\r\n\r\n" + number;
  }
  peer.write(requests);
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_THAT(peer.read_until("POST /" + number + " " + number), StartsWith("HTTP/1.1 200"));
  }
}

TEST(HttpServer, ClosesWhenAskedTo) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  peer.write("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(peer.read_to_end(), HasSubstr("Connection: close\r\n"));

  RawPeer old{loop, server->port()};
  old.write("GET /x HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_to_end(), EndsWith("GET /x "));
}

TEST(HttpServer, AnswersAPeerThatHasEndedItsOwnDirection) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  peer.write(get);
  peer.half_close();
  EXPECT_THAT(peer.read_to_end(), EndsWith("GET /x "));
}

TEST(HttpServer, AnswersHeadWithTheHeaderAlone) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  peer.write("HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = peer.read_to_end();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST(HttpServer, Sends204WithoutLengthOrBody) {
  Loop loop;
  const auto server = serve(
      loop, [](Exchange&) -> Task<std::optional<HttpResponse>> { co_return text("ignored", 204); });
  RawPeer peer{loop, server->port()};
  peer.write(get);
  peer.write("GET /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answers = peer.read_to_end();
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(answers, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(answers, Not(HasSubstr("ignored")));
}

TEST(HttpServer, ReadsChunkedBodies) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  peer.write(
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\nbody\r\n3;x=y\r\n123\r\n0\r\n\r\n");
  EXPECT_THAT(peer.read_until("POST /c body123"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, SaysContinueToAPeerThatWaitsForIt) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  peer.write("POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.write("body");
  EXPECT_THAT(peer.read_until("POST /c body"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, RefusesALargeBodyBeforeItIsSent) {
  Loop loop;
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  const auto server = serve(loop, mirror, options);
  for (const std::string& expect : {std::string{}, std::string{"Expect: 100-continue\r\n"}}) {
    RawPeer peer{loop, server->port()};
    peer.write("POST /c HTTP/1.1\r\nHost: h\r\n" + expect + "Content-Length: 1001\r\n\r\n");
    const std::string answer = peer.read_to_end();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(answer, HasSubstr("\"code\":\"too_large\""));
  }
}

TEST(HttpServer, RefusesALargeBodyAlsoWhenItIsBeingSent) {
  Loop loop;
  HttpServerOptions options;
  options.body_bytes_max = 100'000;
  const auto server = serve(loop, mirror, options);
  RawPeer whole{loop, server->port()};
  whole.start_writing("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n" +
                      std::string(5'000'000, 'x'));
  EXPECT_THAT(whole.read_to_end(), StartsWith("HTTP/1.1 413 "));

  RawPeer chunked{loop, server->port()};
  std::string chunks;
  for (int i = 0; i < 500; ++i) chunks += "3e8\r\n" + std::string(1000, 'x') + "\r\n";
  chunked.start_writing("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                        chunks);
  EXPECT_THAT(chunked.read_to_end(), StartsWith("HTTP/1.1 413 "));
}

TEST(HttpServer, BoundsTheMemoryOfAllBodiesTogether) {
  Loop loop;
  HttpServerOptions options;
  options.all_bodies_bytes_max = 1000;
  const auto server = serve(loop, mirror, options);
  RawPeer holds{loop, server->port()};
  holds.write("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 800\r\n\r\n" + std::string(10, 'x'));
  RawPeer expects{loop, server->port()};  // answered after the one before has been read
  expects.write(
      "POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 200\r\n\r\n");
  expects.read_until("100 Continue\r\n\r\n");
  RawPeer too_much{loop, server->port()};
  too_much.write("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_THAT(too_much.read_to_end(), StartsWith("HTTP/1.1 503 "));
  RawPeer chunked{loop, server->port()};
  chunked.write("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  EXPECT_THAT(chunked.read_to_end(), StartsWith("HTTP/1.1 503 "));
  holds.write(std::string(790, 'x'));
  EXPECT_THAT(holds.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  RawPeer fits{loop, server->port()};
  fits.write("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_THAT(fits.read_until("POST /c x"), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpServer, TakesABodyOfManyMegabytes) {
  Loop loop;
  const auto server = serve(loop, [](Exchange& exchange) -> Task<std::optional<HttpResponse>> {
    co_return text(std::to_string(exchange.request().body.size()));
  });
  RawPeer peer{loop, server->port()};
  peer.start_writing("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 33554432\r\n\r\n" +
                     std::string(32u << 20, 'x'));
  EXPECT_THAT(peer.read_until("\r\n\r\n33554432"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, RefusesAHeaderAbove16KiB) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer fits{loop, server->port()};
  fits.write("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(16'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(fits.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  for (const std::size_t size : {std::size_t{17'000}, std::size_t{1'000'000}}) {
    RawPeer peer{loop, server->port()};
    peer.start_writing("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(size, 'x') + "\r\n\r\n");
    EXPECT_THAT(peer.read_to_end(), StartsWith("HTTP/1.1 431 ")) << size;
  }
}

TEST(HttpServer, AnswersWhatIsNoHttpWith400) {
  Loop loop;
  const auto server = serve(loop, mirror);
  for (const std::string_view request : {
           std::string_view{"nonsense\r\n\r\n"},
           std::string_view{"GET /x HTTP/1.1\r\n\r\n"},                        // no Host
           std::string_view{"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},  // two of them
           std::string_view{"GET /x HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n"},
           std::string_view{"GET /x HTTP/9.9\r\nHost: a\r\n\r\n"},
           std::string_view{"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
           std::string_view{"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n"},
           std::string_view{
               "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
           std::string_view{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"},  // TLS
       }) {
    RawPeer peer{loop, server->port()};
    peer.write(request);
    const std::string answer = peer.read_to_end();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(answer, HasSubstr("\"code\":\"invalid_argument\"")) << request;
    EXPECT_THAT(answer, HasSubstr("Connection: close")) << request;
  }
}

TEST(HttpServer, ReadsAbsoluteTargetsAsPaths) {
  Loop loop;
  const auto server = serve(loop, mirror);
  RawPeer peer{loop, server->port()};
  peer.write("GET http://h:1/a/b?c HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(peer.read_until("GET /a/b?c "), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, AnswersASlowHeaderWith408AndClosesASilentConnection) {
  Loop loop;
  HttpServerOptions options;
  options.header_timeout = 50ms;
  options.idle_timeout = 50ms;
  const auto server = serve(loop, mirror, options);
  RawPeer slow{loop, server->port()};
  slow.write("GET /x HT");
  EXPECT_THAT(slow.read_to_end(), StartsWith("HTTP/1.1 408 "));
  RawPeer silent{loop, server->port()};
  EXPECT_EQ(silent.read_to_end(), "");
  RawPeer idle{loop, server->port()};
  idle.write(get);
  EXPECT_THAT(idle.read_to_end(), StartsWith("HTTP/1.1 200"));
  loop.until([&] { return server->connections() == 0; });
}

TEST(HttpServer, TellsConnectionsBeyondTheBoundThatItIsFull) {
  Loop loop;
  HttpServerOptions options;
  options.connections_max = 2;
  const auto server = serve(loop, mirror, options);
  RawPeer first{loop, server->port()};
  RawPeer second{loop, server->port()};
  loop.until([&] { return server->connections() == 2; });
  RawPeer third{loop, server->port()};
  EXPECT_THAT(third.read_to_end(), StartsWith("HTTP/1.1 503 "));
  first.close();
  loop.until([&] { return server->connections() == 1; });
  RawPeer fourth{loop, server->port()};
  fourth.write(get);
  EXPECT_THAT(fourth.read_until("GET /x "), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, Answers500WhenAHandlerThrowsAndTellsNothingOfIt) {
  Loop loop;
  const auto server = serve(loop, [](Exchange&) -> Task<std::optional<HttpResponse>> {
    throw std::runtime_error{"a secret"};
    co_return std::nullopt;
  });
  RawPeer peer{loop, server->port()};
  peer.write(get);
  const std::string answer = peer.read_until("}");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("secret")));
}

TEST(HttpServer, KeepsAHeaderInOneLine) {
  Loop loop;
  const auto server = serve(loop, [](Exchange&) -> Task<std::optional<HttpResponse>> {
    HttpResponse response = text("ok");
    response.headers.emplace_back("X-Echo", "a\r\nSet-Cookie: b");
    co_return response;
  });
  RawPeer peer{loop, server->port()};
  peer.write(get);
  EXPECT_THAT(peer.read_until("\r\n\r\nok"), HasSubstr("X-Echo: a  Set-Cookie: b\r\n"));
}

TEST(HttpServer, FramesItsResponsesItselfWhateverHeadersItIsGiven) {
  Loop loop;
  const auto server = serve(loop, [](Exchange&) -> Task<std::optional<HttpResponse>> {
    HttpResponse response = text("ok");
    response.headers.emplace_back("content-length", "77");
    response.headers.emplace_back("transfer-encoding", "chunked");
    response.headers.emplace_back("connection", "close");
    response.headers.emplace_back("date", "yesterday");
    response.headers.emplace_back("x-kept", "1");
    co_return response;
  });
  RawPeer peer{loop, server->port()};
  peer.write(get);
  const std::string answer = peer.read_until("\r\n\r\nok");
  for (const auto* gone : {"77", "chunked", "close", "yesterday"}) {
    EXPECT_THAT(answer, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(answer, HasSubstr("x-kept: 1\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 2\r\n"));
}

// --- Streams ------------------------------------------------------------------------------------

TEST(HttpServer, StreamsPiecesUntilTheHandlerEnds) {
  Loop loop;
  const auto server = serve(loop, [](Exchange& exchange) -> Task<std::optional<HttpResponse>> {
    HttpResponse head;
    head.headers.emplace_back("Content-Type", "text/event-stream");
    auto stream = co_await exchange.start_stream(std::move(head));
    (void)co_await (*stream)->write("data: 1\n\n");
    (void)co_await (*stream)->write("");  // would end a chunked body
    (void)co_await (*stream)->write("data: 2\n\n");
    co_return std::nullopt;
  });
  RawPeer peer{loop, server->port()};
  peer.write(get);
  const std::string answer = peer.read_to_end();
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"));
}

Task<std::optional<HttpResponse>> hold_stream(Exchange& exchange,
                                              std::shared_ptr<ResponseStream>* out) {
  HttpResponse head;
  auto stream = co_await exchange.start_stream(std::move(head));
  *out = *stream;
  while ((*stream)->is_open()) {
    asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
    (void)co_await timer.async_wait(as_result);
  }
  const auto written = co_await (*stream)->write("late");
  EXPECT_EQ(written.error().code, Errc::closed);
  co_return std::nullopt;
}

TEST(HttpServer, NoticesTheEndOfAStreamsPeerWithoutWriting) {
  Loop loop;
  std::shared_ptr<ResponseStream> stream;
  const auto server =
      serve(loop, [&stream](Exchange& exchange) { return hold_stream(exchange, &stream); });
  for (const bool reset : {false, true}) {
    RawPeer peer{loop, server->port()};
    peer.write(get);
    peer.read_until("\r\n\r\n");
    loop.until([&] { return stream != nullptr; });
    EXPECT_TRUE(stream->is_open());
    if (reset) {
      peer.reset();
    } else {
      peer.close();
    }
    loop.until([&] { return !stream->is_open(); });
    stream.reset();
    loop.until([&] { return server->connections() == 0; });
  }
}

// --- Acknowledged responses ---------------------------------------------------------------------

Task<std::optional<HttpResponse>> acknowledge(Exchange& exchange, std::size_t bytes,
                                              std::chrono::milliseconds timeout,
                                              std::optional<Result<void>>* out) {
  HttpResponse response = text(std::string(bytes, 'x'));
  auto acknowledged = co_await exchange.respond_acknowledged(std::move(response), timeout);
  out->emplace(std::move(acknowledged));
  co_return std::nullopt;
}

TEST(HttpServer, KnowsWhenThePeersKernelHasTheWholeResponse) {
  Loop loop;
  std::optional<Result<void>> outcome;
  const auto server = serve(
      loop, [&outcome](Exchange& exchange) { return acknowledge(exchange, 1000, 20s, &outcome); });
  RawPeer peer{loop, server->port()};
  for (int i = 0; i < 2; ++i) {  // the connection is kept
    outcome.reset();
    peer.write(get);
    loop.until([&] { return outcome.has_value(); });
    EXPECT_TRUE(*outcome);
    peer.read_until(std::string(1000, 'x'));
  }
}

TEST(HttpServer, KnowsThatAPeerDidNotTakeTheWholeResponse) {
  Loop loop;
  std::optional<Result<void>> outcome;
  const auto server = serve(loop, [&outcome](Exchange& exchange) {
    return acknowledge(exchange, 64u << 20, 300ms, &outcome);
  });
  RawPeer reads_nothing{loop, server->port()};
  reads_nothing.write(get);
  loop.until([&] { return outcome.has_value(); });
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().code, Errc::timed_out);

  outcome.reset();
  RawPeer goes{loop, server->port()};
  goes.write(get);
  goes.read_until("xxx");
  goes.reset();
  loop.until([&] { return outcome.has_value(); });
  ASSERT_FALSE(*outcome);
}

// --- Life and death -----------------------------------------------------------------------------

Task<std::optional<HttpResponse>> wait_for_gate(Exchange&, asio::steady_timer* gate,
                                                bool* waiting) {
  *waiting = true;
  (void)co_await gate->async_wait(as_result);
  co_return text("late but there");
}

TEST(HttpServer, FinishesWhatItHasBegunWhenStopped) {
  Loop loop;
  asio::steady_timer gate{loop.io, asio::steady_timer::time_point::max()};
  bool waiting = false;
  const auto server = serve(loop, [&](Exchange& e) { return wait_for_gate(e, &gate, &waiting); });
  RawPeer idle{loop, server->port()};
  RawPeer busy{loop, server->port()};
  busy.write(get);
  loop.until([&] { return waiting && server->connections() == 2; });
  server->stop();
  EXPECT_EQ(idle.read_to_end(), "");
  boost::system::error_code ec;
  tcp::socket late{loop.io};
  late.connect(tcp::endpoint{asio::ip::address_v4::loopback(), server->port()}, ec);
  EXPECT_EQ(ec, asio::error::connection_refused);
  gate.cancel();
  const std::string answer = busy.read_to_end();
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, EndsWith("late but there"));
  loop.until([&] { return server->connections() == 0; });
}

TEST(HttpServer, MayBeDestroyedWhileHandlersRun) {
  Loop loop;
  asio::steady_timer gate{loop.io, asio::steady_timer::time_point::max()};
  bool waiting = false;
  auto server = serve(loop, [&](Exchange& e) { return wait_for_gate(e, &gate, &waiting); });
  RawPeer idle{loop, server->port()};
  RawPeer busy{loop, server->port()};
  busy.write(get);
  loop.until([&] { return waiting; });
  server.reset();
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_EQ(busy.read_to_end(), "");
  gate.cancel();
  loop.settle();
}

TEST(HttpServer, MayBeAbandonedWithItsIoContext) {
  auto loop = std::make_unique<Loop>();
  auto gate = std::make_unique<asio::steady_timer>(loop->io, asio::steady_timer::time_point::max());
  bool waiting = false;
  auto server = serve(*loop, [&](Exchange& e) { return wait_for_gate(e, gate.get(), &waiting); });
  auto peer = std::make_unique<RawPeer>(*loop, server->port());
  peer->write(get);
  loop->until([&] { return waiting; });
  peer.reset();
  server.reset();
  gate.reset();
  loop.reset();
}

TEST(HttpServer, SaysInAClearSentenceWhyItCannotListen) {
  Loop loop;
  const auto server = serve(loop, mirror);
  const auto second = listen_http(loop.io, tcp_at(server->port()), {}, mirror);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "127.0.0.1:" + std::to_string(server->port()) +
                                        " is in use by another program; choose another with "
                                        "--listen");
  Endpoint elsewhere = tcp_at(0);
  elsewhere.host = "192.0.2.1";
  const auto third = listen_http(loop.io, elsewhere, {}, mirror);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().message, "192.0.2.1 is no address of this machine");
}

}  // namespace
}  // namespace holdfast::net::test
