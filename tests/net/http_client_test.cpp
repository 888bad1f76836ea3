#include <gmock/gmock.h>

#include <net/http.hpp>

#include "harness.hpp"

namespace holdfast::net::test {
namespace {

using testing::HasSubstr;

HttpRequest request_for(std::string method, std::string target, std::string body = {}) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  return request;
}

std::string answer(std::string_view body, std::string_view more = {}) {
  return "HTTP/1.1 200 OK\r\n" + std::string{more} +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

/// A call that runs beside the test, with what is told of its failure.
struct Call {
  Call(Loop& loop, HttpClient& client, HttpRequest request, std::chrono::milliseconds timeout = 20s,
       bool fresh = false)
      : outcome{loop, client.call(std::move(request), timeout, &failure, fresh)} {}
  HttpFailure failure;
  Started<Result<HttpResponse>> outcome;
};

TEST(HttpClient, CallsAndKeepsTheConnectionForTheNextCall) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  Call first{loop, client, request_for("POST", "/a", "body")};
  RawPeer peer = server.accept();
  const std::string head = peer.read_until("body");
  EXPECT_THAT(head, testing::StartsWith("POST /a HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 4\r\n"));
  peer.write(answer("one", "X-Some: thing\r\n"));
  ASSERT_TRUE(first.outcome.wait());
  EXPECT_EQ(first.outcome.wait()->body, "one");
  EXPECT_EQ(header(first.outcome.wait()->headers, "x-some"), "thing");

  Call second{loop, client, request_for("GET", "/b")};
  EXPECT_THAT(peer.read_until("\r\n\r\n"), HasSubstr("GET /b "));
  peer.write(answer("two"));
  EXPECT_EQ(second.outcome.wait()->body, "two");

  Call fresh{loop, client, request_for("GET", "/c"), 20s, true};
  RawPeer other = server.accept();
  other.read_until("\r\n\r\n");
  other.write(answer("three"));
  EXPECT_EQ(fresh.outcome.wait()->body, "three");
}

TEST(HttpClient, GivesAnswersOfEveryStatusAsResults) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  for (const int status : {204, 400, 429, 503}) {
    Call call{loop, client, request_for("POST", "/"), 20s, true};
    RawPeer peer = server.accept();
    peer.read_until("\r\n\r\n");
    peer.write("HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(call.outcome.wait()->status, status);
  }
}

TEST(HttpClient, PassesOverInterimAnswersAndReadsEveryFraming) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  Call chunked{loop, client, request_for("GET", "/"), 20s, true};
  RawPeer first = server.accept();
  first.read_until("\r\n\r\n");
  first.write(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.outcome.wait()->body, "abc");

  Call to_end{loop, client, request_for("GET", "/"), 20s, true};
  RawPeer second = server.accept();
  second.read_until("\r\n\r\n");
  second.write("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  second.close();
  EXPECT_EQ(to_end.outcome.wait()->body, "until the end");

  Call head{loop, client, request_for("HEAD", "/"), 20s, true};
  RawPeer third = server.accept();
  third.read_until("\r\n\r\n");
  third.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  EXPECT_EQ(head.outcome.wait()->status, 200);
}

TEST(HttpClient, SaysThatNothingWasWrittenWhenNobodyListens) {
  Loop loop;
  HttpClient client{tcp_at(free_port(loop))};
  Call call{loop, client, request_for("POST", "/", "body")};
  ASSERT_FALSE(call.outcome.wait());
  EXPECT_EQ(call.failure.error.code, Errc::refused);
  EXPECT_EQ(call.failure.progress, RequestProgress::nothing_written);
}

TEST(HttpClient, SaysThatARequestWasWrittenWhenItsAnswerIsLost) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  for (const bool reset : {false, true}) {
    Call call{loop, client, request_for("POST", "/", "body"), 20s, true};
    RawPeer peer = server.accept();
    peer.read_until("body");
    if (reset) {
      peer.reset();
    } else {
      peer.close();
    }
    ASSERT_FALSE(call.outcome.wait());
    EXPECT_EQ(call.failure.error.code, Errc::closed);
    EXPECT_EQ(call.failure.progress, RequestProgress::written);
  }
}

TEST(HttpClient, SaysThatARequestWasWrittenWhenTheAnswerBreaksOff) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  Call call{loop, client, request_for("POST", "/", "body")};
  RawPeer peer = server.accept();
  peer.read_until("body");
  peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  peer.close();
  ASSERT_FALSE(call.outcome.wait());
  EXPECT_EQ(call.failure.progress, RequestProgress::written);
  EXPECT_EQ(call.failure.error.code, Errc::closed);
}

TEST(HttpClient, GivesUpAfterItsTimeoutOnAPeerThatNeverAnswers) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  Call call{loop, client, request_for("POST", "/", "body"), 100ms};
  RawPeer peer = server.accept();
  peer.read_until("body");
  ASSERT_FALSE(call.outcome.wait());
  EXPECT_EQ(call.failure.error.code, Errc::timed_out);
  EXPECT_EQ(call.failure.progress, RequestProgress::written);
  EXPECT_EQ(peer.read_to_end(), "");  // the connection is not used again
}

TEST(HttpClient, NamesAnAnswerThatIsNoHttp) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  Call call{loop, client, request_for("GET", "/")};
  RawPeer peer = server.accept();
  peer.read_until("\r\n\r\n");
  peer.write("SSH-2.0-OpenSSH_9.2\r\n");
  ASSERT_FALSE(call.outcome.wait());
  EXPECT_EQ(call.failure.error.code, Errc::protocol);
}

TEST(HttpClient, TakesTheAnswerOfAPeerThatRefusesALargeRequestEarly) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  Call call{loop, client, request_for("POST", "/", std::string(32u << 20, 'x'))};
  RawPeer peer = server.accept();
  peer.read_until("\r\n\r\n");
  peer.write("HTTP/1.1 413 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  peer.half_close();
  peer.read_to_end();
  EXPECT_EQ(call.outcome.wait()->status, 413);
}

TEST(HttpClient, NeverUsesAKeptConnectionThatThePeerHasClosed) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  for (int i = 0; i < 3; ++i) {
    Call call{loop, client, request_for("POST", "/", "body")};
    RawPeer peer = server.accept();
    peer.read_until("body");
    peer.write(answer("ok"));
    EXPECT_EQ(call.outcome.wait()->body, "ok");
    peer.close();
  }
}

TEST(HttpClient, RepeatsAGetButNeverAPostWhenAKeptConnectionEndsUnderIt) {
  Loop loop;
  RawServer server{loop};
  for (const std::string& method : {std::string{"GET"}, std::string{"POST"}}) {
    HttpClient client{tcp_at(server.port())};
    Call first{loop, client, request_for("GET", "/1")};
    RawPeer peer = server.accept();
    peer.read_until("\r\n\r\n");
    peer.write(answer("one"));
    EXPECT_TRUE(first.outcome.wait());

    Call second{loop, client, request_for(method, "/2")};
    peer.read_until("\r\n\r\n");
    peer.close();
    if (method == "POST") {
      ASSERT_FALSE(second.outcome.wait());
      EXPECT_EQ(second.failure.progress, RequestProgress::written);
    } else {
      RawPeer again = server.accept();
      EXPECT_THAT(again.read_until("\r\n\r\n"), HasSubstr("GET /2 "));
      again.write(answer("two"));
      EXPECT_EQ(second.outcome.wait()->body, "two");
    }
  }
}

TEST(HttpClient, EndsCallsUnderWayWhenClosedOrDestroyed) {
  Loop loop;
  RawServer server{loop};
  for (const bool destroy : {false, true}) {
    auto client = std::make_unique<HttpClient>(tcp_at(server.port()));
    Call waiting{loop, *client, request_for("GET", "/")};
    RawPeer peer = server.accept();
    peer.read_until("\r\n\r\n");
    if (destroy) {
      client.reset();
    } else {
      client->close();
    }
    ASSERT_FALSE(waiting.outcome.wait());
    EXPECT_EQ(waiting.failure.error.code, Errc::cancelled);
  }
}

TEST(HttpClient, EndsAnUnfinishedConnectWhenClosed) {
  Loop loop;
  // Nobody accepts there and the backlog is full: the connect neither fails nor succeeds.
  tcp::acceptor full{loop.io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
  full.listen(0);
  std::vector<std::unique_ptr<tcp::socket>> filling;
  for (int i = 0; i < 3; ++i) {
    filling.push_back(std::make_unique<tcp::socket>(loop.io));
    filling.back()->async_connect(full.local_endpoint(), [](const boost::system::error_code&) {});
  }
  loop.settle();
  HttpClient client{tcp_at(full.local_endpoint().port())};
  Call call{loop, client, request_for("GET", "/")};
  loop.settle();
  EXPECT_FALSE(call.outcome.done());
  client.close();
  ASSERT_FALSE(call.outcome.wait());
  EXPECT_EQ(call.failure.error.code, Errc::cancelled);
  EXPECT_EQ(call.failure.progress, RequestProgress::nothing_written);
}

TEST(HttpClient, CallsOverAUnixSocket) {
  Loop loop;
  const SocketPath path;
  const auto server = listen_http(loop.io, path.endpoint(), {},
                                  [](Exchange& exchange) -> Task<std::optional<HttpResponse>> {
                                    HttpResponse response;
                                    response.body = exchange.request().peer;
                                    co_return response;
                                  });
  ASSERT_TRUE(server);
  HttpClient client{path.endpoint()};
  Call call{loop, client, request_for("GET", "/")};
  EXPECT_EQ(call.outcome.wait()->body, "unix");
}

TEST(HttpClient, RefusesARequestThatWouldSmuggleAnother) {
  Loop loop;
  HttpClient client{tcp_at(free_port(loop))};
  HttpRequest by_target = request_for("GET", "/ HTTP/1.1\r\nX: y\r\n\r\n");
  HttpRequest by_header = request_for("GET", "/");
  by_header.headers.emplace_back("X", "a\r\nY: b");
  for (const HttpRequest& request : {by_target, by_header}) {
    Call call{loop, client, request};
    ASSERT_FALSE(call.outcome.wait());
    EXPECT_EQ(call.failure.error.code, Errc::invalid_argument);
  }
}

TEST(HttpClient, LetsCallsBeyondItsBoundWaitForTheirTurn) {
  Loop loop;
  RawServer server{loop};
  HttpClient client{tcp_at(server.port())};
  std::vector<std::unique_ptr<Call>> calls;
  for (std::size_t i = 0; i < HttpClient::calls_max; ++i) {
    calls.push_back(std::make_unique<Call>(loop, client, request_for("GET", "/")));
  }
  RawPeer first = server.accept();
  Call impatient{loop, client, request_for("GET", "/"), 50ms};
  ASSERT_FALSE(impatient.outcome.wait());
  EXPECT_EQ(impatient.failure.error.code, Errc::timed_out);
  EXPECT_EQ(impatient.failure.progress, RequestProgress::nothing_written);
  Call patient{loop, client, request_for("GET", "/last")};
  loop.settle();
  first.read_until("\r\n\r\n");
  first.write(answer("one"));
  EXPECT_THAT(first.read_until("\r\n\r\n"), HasSubstr("/last"));  // on the connection that is free
  first.write(answer("two"));
  EXPECT_EQ(patient.outcome.wait()->body, "two");
  client.close();
  for (const auto& call : calls) call->outcome.wait();
}

TEST(HttpClient, MayBeUsedByManyCallsAtOnce) {
  Loop loop;
  const auto server = listen_http(loop.io, tcp_at(0), {},
                                  [](Exchange& exchange) -> Task<std::optional<HttpResponse>> {
                                    HttpResponse response;
                                    response.body = exchange.request().target;
                                    co_return response;
                                  });
  HttpClient client{tcp_at((*server)->port())};
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 50; ++i) {
    calls.push_back(
        std::make_unique<Call>(loop, client, request_for("GET", "/" + std::to_string(i))));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(calls[static_cast<std::size_t>(i)]->outcome.wait()->body, "/" + std::to_string(i));
  }
  loop.until([&] { return (*server)->connections() == 4; });  // the rest is not kept
}

}  // namespace
}  // namespace holdfast::net::test
