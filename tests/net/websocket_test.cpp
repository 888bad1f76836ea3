#include <gmock/gmock.h>

#include <net/http.hpp>
#include <net/websocket.hpp>

#include "harness.hpp"

namespace holdfast::net::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t message_bytes_max = 1u << 20;

/// A server whose WebSockets the test takes one by one.
class WebSocketServer {
 public:
  explicit WebSocketServer(Loop& loop) : loop_{loop} {
    server_ = std::move(*listen_http(loop.io, tcp_at(0), {},
                                     [this](Exchange& e) { return accept(e, &accepted_); }));
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  WebSocketPtr take() {
    loop_.until([this] { return !accepted_.empty(); });
    WebSocketPtr socket = std::move(accepted_.front());
    accepted_.erase(accepted_.begin());
    return socket;
  }
  HttpServer& http() { return *server_; }

 private:
  static Task<std::optional<HttpResponse>> accept(Exchange& exchange,
                                                  std::vector<WebSocketPtr>* accepted) {
    auto socket = co_await exchange.accept_websocket(message_bytes_max);
    if (socket) accepted->push_back(std::move(*socket));
    co_return std::nullopt;
  }

  Loop& loop_;
  std::vector<WebSocketPtr> accepted_;
  std::unique_ptr<HttpServer> server_;
};

Task<Result<WebSocketPtr>> open(std::uint16_t port, std::string target, HandshakeFailure* failure,
                                std::chrono::milliseconds timeout) {
  WebSocketOptions options;
  options.target = std::move(target);
  options.connect.timeout = timeout;
  options.message_bytes_max = message_bytes_max;
  auto opened = co_await open_websocket(tcp_at(port), std::move(options), failure);
  co_return opened;
}

WebSocketPtr open(Loop& loop, std::uint16_t port) {
  auto socket = loop.run(open(port, "/v1/receive/%2B15550001111", nullptr, 20s));
  EXPECT_TRUE(socket) << socket.error().message;
  return socket ? *socket : nullptr;
}

// --- Frames by hand -----------------------------------------------------------------------------

enum Opcode : unsigned {
  continuation = 0,
  text = 1,
  binary = 2,
  closing = 8,
  pinging = 9,
  ponging = 10
};

std::string frame(unsigned opcode, std::string_view payload, bool last = true, bool masked = true) {
  std::string out;
  out += static_cast<char>((last ? 0x80u : 0u) | opcode);
  const char mask_bit = masked ? static_cast<char>(0x80) : '\0';
  if (payload.size() < 126) {
    out += static_cast<char>(static_cast<unsigned char>(mask_bit) | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(static_cast<unsigned char>(mask_bit) | 126u);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 255);
  } else {
    out += static_cast<char>(static_cast<unsigned char>(mask_bit) | 127u);
    for (int shift = 56; shift >= 0; shift -= 8) {
      out += static_cast<char>((payload.size() >> shift) & 255);
    }
  }
  if (masked) out += std::string("\0\0\0\0", 4);
  out += payload;
  return out;
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
  std::string payload;
  payload += static_cast<char>(code >> 8);
  payload += static_cast<char>(code & 255);
  payload += reason;
  return payload;
}

const std::string upgrade =
    "GET /v1/receive/x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

RawPeer shake_hands(Loop& loop, std::uint16_t port) {
  RawPeer peer{loop, port};
  peer.write(upgrade);
  const std::string answer = peer.read_until("\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(answer, HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  EXPECT_THAT(answer, Not(HasSubstr("permessage-deflate")));
  return peer;
}

// --- Messages -----------------------------------------------------------------------------------

TEST(WebSocket, CarriesMessagesOfEverySizeBothWays) {
  Loop loop;
  WebSocketServer server{loop};
  const auto client = open(loop, server.port());
  const auto peer = server.take();
  for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 1u << 20}) {
    const std::string message(size, 'm');
    Started<Result<void>> up{loop, client->write_text(message)};
    EXPECT_EQ(*loop.run(peer->read()), message);
    EXPECT_TRUE(up.wait());
    Started<Result<void>> down{loop, peer->write_text(message)};
    EXPECT_EQ(*loop.run(client->read()), message);
    EXPECT_TRUE(down.wait());
  }
}

TEST(WebSocket, JoinsFragmentsWithControlFramesBetweenThem) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  std::vector<std::string> pongs;
  socket->on_pong = [&](std::string_view payload) { pongs.emplace_back(payload); };
  const std::string bytes = frame(text, "one ", false) + frame(pinging, "p1") +
                            frame(continuation, "two ", false) + frame(ponging, "p2") +
                            frame(continuation, "three") + frame(binary, "raw");
  Started<Result<std::string>> message{loop, socket->read()};
  for (const char byte : bytes) client.write(std::string(1, byte));
  EXPECT_EQ(*message.wait(), "one two three");
  EXPECT_EQ(*loop.run(socket->read()), "raw");
  EXPECT_THAT(pongs, ElementsAre("p2"));
  EXPECT_EQ(client.read_exactly(4), frame(ponging, "p1", true, false));
}

TEST(WebSocket, WritesAWholeMessageAsOneFrame) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  const std::string message(70'000, 'm');
  Started<Result<void>> written{loop, socket->write_text(message)};
  EXPECT_EQ(client.read_exactly(message.size() + 10), frame(text, message, true, false));
  EXPECT_TRUE(written.wait());
}

TEST(WebSocket, ReadsFramesThatCameTogetherWithTheHandshake) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client{loop, server.port()};
  client.write(upgrade + frame(text, "eager") + frame(text, "more"));
  const auto socket = server.take();
  EXPECT_EQ(*loop.run(socket->read()), "eager");
  EXPECT_EQ(*loop.run(socket->read()), "more");
}

// --- Ping and pong ------------------------------------------------------------------------------

Task<> write_and_ping(WebSocketPtr socket, int count) {
  const std::string message(5'000, 'm');
  for (int i = 0; i < count; ++i) {
    (void)co_await socket->write_text(message);
    (void)co_await socket->ping(std::to_string(i));
  }
}

TEST(WebSocket, GetsPongsWithThePayloadsOfItsPingsInOrder) {
  Loop loop;
  WebSocketServer server{loop};
  const auto client = open(loop, server.port());
  const auto peer = server.take();
  std::vector<std::string> pongs;
  peer->on_pong = [&](std::string_view payload) { pongs.emplace_back(payload); };
  loop.spawn(write_and_ping(peer, 50));
  Started<Result<std::string>> pending{loop, peer->read()};
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(loop.run(client->read())->size(), 5'000u);
    expected.push_back(std::to_string(i));
  }
  Started<Result<std::string>> still_reading{loop, client->read()};
  loop.until([&] { return pongs.size() == 50; });
  EXPECT_EQ(pongs, expected);
  peer->abort();
}

TEST(WebSocket, LetsAPingWaitForTheWriteThatIsUnderWay) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  const std::string big(32u << 20, 'b');
  Started<Result<void>> write{loop, socket->write_text(big)};
  Started<Result<void>> ping{loop, socket->ping("p")};
  Started<Result<void>> second{loop, socket->write_text("after")};
  loop.settle();
  EXPECT_FALSE(write.done());
  EXPECT_FALSE(ping.done());
  EXPECT_EQ(client.read_exactly(big.size() + 10).size(), big.size() + 10);
  EXPECT_EQ(client.read_exactly(3), frame(pinging, "p", true, false));
  EXPECT_EQ(client.read_exactly(7), frame(text, "after", true, false));
  EXPECT_TRUE(write.wait());
  EXPECT_TRUE(ping.wait());
  EXPECT_TRUE(second.wait());
}

TEST(WebSocket, TellsOfAnyByteThatComes) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  int activity = 0;
  socket->on_activity = [&] { ++activity; };
  Started<Result<std::string>> read{loop, socket->read()};
  const std::string ping = frame(pinging, "x");
  client.write(ping.substr(0, 1));
  loop.until([&] { return activity == 1; });
  client.write(ping.substr(1));
  loop.until([&] { return activity >= 2; });
  EXPECT_FALSE(read.done());
  socket->abort();
}

// --- Ends ---------------------------------------------------------------------------------------

TEST(WebSocket, ClosesWithACodeAndAReasonThatThePeerSees) {
  Loop loop;
  WebSocketServer server{loop};
  const auto client = open(loop, server.port());
  const auto peer = server.take();
  Started<Result<std::string>> read{loop, peer->read()};
  loop.run(client->close(1001, "going away"));
  ASSERT_FALSE(read.wait());
  EXPECT_EQ(read.wait().error().code, Errc::closed);
  EXPECT_THAT(read.wait().error().message, HasSubstr("1001 (going away)"));
  EXPECT_EQ(loop.run(client->write_text("late")).error().code, Errc::closed);
}

TEST(WebSocket, ClosesWhileAReadAndAWriteOfItsOwnWait) {
  Loop loop;
  WebSocketServer server{loop};
  const auto client = open(loop, server.port());
  const auto peer = server.take();
  Started<Result<std::string>> peer_read{loop, peer->read()};
  Started<Result<std::string>> read{loop, client->read()};
  loop.settle();
  loop.run(client->close(1000, ""));
  EXPECT_EQ(read.wait().error().code, Errc::closed);
  EXPECT_THAT(peer_read.wait().error().message, HasSubstr("1000"));
}

TEST(WebSocket, ClosesWithinASecondThoughThePeerNeverAnswers) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  const std::string big(64u << 20, 'x');
  Started<Result<void>> stuck{loop, socket->write_text(big)};
  loop.settle();
  EXPECT_FALSE(stuck.done());
  const auto begin = std::chrono::steady_clock::now();
  loop.run(socket->close(1000, "bye"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);  // 1 s and a slow machine
  EXPECT_EQ(stuck.wait().error().code, Errc::closed);
}

TEST(WebSocket, EchoesThePeersClose) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  Started<Result<std::string>> read{loop, socket->read()};
  client.write(frame(closing, close_payload(4000, "own")));
  EXPECT_EQ(client.read_to_end(), frame(closing, close_payload(4000), true, false));
  client.close();
  EXPECT_THAT(read.wait().error().message, HasSubstr("4000 (own)"));
}

TEST(WebSocket, EndsWithClosedWhenThePeerGoesWithoutAClose) {
  Loop loop;
  WebSocketServer server{loop};
  for (const bool reset : {false, true}) {
    RawPeer client = shake_hands(loop, server.port());
    const auto socket = server.take();
    Started<Result<std::string>> read{loop, socket->read()};
    client.write(frame(text, "half", false));
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_EQ(read.wait().error().code, Errc::closed);
  }
}

TEST(WebSocket, AbortEndsAReadAtOnceWithoutACloseFrame) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  Started<Result<std::string>> read{loop, socket->read()};
  loop.settle();
  socket->abort();
  EXPECT_EQ(read.wait().error().code, Errc::closed);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(loop.run(socket->read()).error().code, Errc::closed);
  EXPECT_EQ(loop.run(socket->ping("x")).error().code, Errc::closed);
}

TEST(WebSocket, MayBeDestroyedWhileOperationsWait) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  auto socket = server.take();
  socket->on_pong = [](std::string_view) { ADD_FAILURE() << "called after its owner's end"; };
  socket->on_activity = [] { ADD_FAILURE() << "called after its owner's end"; };
  const std::string big(64u << 20, 'x');
  Started<Result<std::string>> read{loop, socket->read()};
  Started<Result<void>> write{loop, socket->write_text(big)};
  Started<Result<void>> ping{loop, socket->ping("x")};
  loop.settle();
  client.write(frame(ponging, "x"));
  socket.reset();
  EXPECT_EQ(read.wait().error().code, Errc::closed);
  EXPECT_EQ(write.wait().error().code, Errc::closed);
  EXPECT_EQ(ping.wait().error().code, Errc::closed);
  loop.until([&] { return server.http().connections() == 0; });
}

TEST(WebSocket, MayBeAbandonedWithItsIoContext) {
  auto loop = std::make_unique<Loop>();
  auto server = std::make_unique<WebSocketServer>(*loop);
  auto client = open(*loop, server->port());
  auto peer = server->take();
  {
    Started<Result<std::string>> read{*loop, client->read()};
    Started<Result<std::string>> peer_read{*loop, peer->read()};
    loop->settle();
  }
  client.reset();
  peer.reset();
  server.reset();
  loop.reset();
}

// --- What the peer may not do -------------------------------------------------------------------

/// What the server answers to bytes after the handshake, and how its read ends.
struct Verdict {
  Error error;
  std::string answer;
};
Verdict judge(const std::string& bytes) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer client = shake_hands(loop, server.port());
  const auto socket = server.take();
  Started<Result<std::string>> read{loop, socket->read()};
  client.start_writing(bytes);
  Verdict verdict;
  verdict.answer = client.read_to_end();
  client.close();
  EXPECT_FALSE(read.wait());
  verdict.error = read.wait() ? Error{Errc::closed, ""} : read.wait().error();
  return verdict;
}

TEST(WebSocket, AnswersAMessageAboveItsLimitWith1009) {
  for (const std::string& bytes :
       {frame(text, std::string(message_bytes_max + 1, 'x')),
        frame(text, std::string(message_bytes_max, 'x'), false) + frame(continuation, "x")}) {
    const Verdict verdict = judge(bytes);
    EXPECT_EQ(verdict.error.code, Errc::too_large);
    EXPECT_THAT(verdict.answer, HasSubstr(close_payload(1009)));
  }
}

TEST(WebSocket, AnswersTextThatIsNoUtf8With1007) {
  for (const std::string_view bad : {"\xff", "\xc3\x28", "\xed\xa0\x80", "cut \xe2\x82"}) {
    const Verdict verdict = judge(frame(text, bad));
    EXPECT_EQ(verdict.error.code, Errc::protocol);
    EXPECT_THAT(verdict.answer, HasSubstr(close_payload(1007)));
  }
}

TEST(WebSocket, AnswersABrokenProtocolWith1002) {
  for (const std::string& bytes :
       {frame(text, "x", true, false),                  // not masked
        frame(3, "x"),                                  // a reserved opcode
        frame(continuation, "x"),                       // nothing to continue
        frame(text, "x", false) + frame(text, "y"),     // not continued
        frame(pinging, std::string(126, 'x')),          // a control frame too long
        frame(closing, "x"),                            // half a close code
        std::string{"\xc1\x80\x00\x00\x00\x00", 6}}) {  // a reserved bit
    const Verdict verdict = judge(bytes);
    EXPECT_EQ(verdict.error.code, Errc::protocol);
    EXPECT_THAT(verdict.answer, HasSubstr(close_payload(1002)));
  }
}

// --- Opening ------------------------------------------------------------------------------------

TEST(WebSocketClient, KeepsTheAnswerThatRefusedIt) {
  Loop loop;
  RawServer server{loop};
  HandshakeFailure failure;
  Started<Result<WebSocketPtr>> opening{loop, open(server.port(), "/v1/receive/x", &failure, 20s)};
  RawPeer peer = server.accept();
  const std::string request = peer.read_until("\r\n\r\n");
  EXPECT_THAT(request, StartsWith("GET /v1/receive/x HTTP/1.1\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("permessage-deflate")));
  const std::string body(10'000, 'b');
  peer.write("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 10000\r\n\r\n" +
             body);
  ASSERT_FALSE(opening.wait());
  EXPECT_EQ(failure.status, 503);
  EXPECT_EQ(failure.retry_after, "7");
  EXPECT_EQ(failure.body, body.substr(0, 4096));
  EXPECT_THAT(failure.error.message, HasSubstr("answered HTTP 503"));
}

TEST(WebSocketClient, KeepsAnAnswerThatEndsWithTheConnection) {
  Loop loop;
  RawServer server{loop};
  HandshakeFailure failure;
  Started<Result<WebSocketPtr>> opening{loop, open(server.port(), "/", &failure, 20s)};
  RawPeer peer = server.accept();
  peer.read_until("\r\n\r\n");
  peer.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n[]");
  peer.close();
  ASSERT_FALSE(opening.wait());
  EXPECT_EQ(failure.status, 200);
  EXPECT_EQ(failure.body, "[]");
}

TEST(WebSocketClient, TellsWhetherThePeerIsAbsentSilentOrNoWebSocket) {
  Loop loop;
  HandshakeFailure failure;
  EXPECT_FALSE(loop.run(open(free_port(loop), "/", &failure, 20s)));
  EXPECT_EQ(failure.error.code, Errc::refused);
  EXPECT_EQ(failure.status, 0);

  RawServer server{loop};
  Started<Result<WebSocketPtr>> silent{loop, open(server.port(), "/", &failure, 100ms)};
  RawPeer never_answers = server.accept();
  EXPECT_FALSE(silent.wait());
  EXPECT_EQ(failure.error.code, Errc::timed_out);

  Started<Result<WebSocketPtr>> ended{loop, open(server.port(), "/", &failure, 20s)};
  RawPeer ends = server.accept();
  ends.read_until("\r\n\r\n");
  ends.close();
  EXPECT_FALSE(ended.wait());
  EXPECT_EQ(failure.error.code, Errc::closed);

  Started<Result<WebSocketPtr>> wrong_key{loop, open(server.port(), "/", &failure, 20s)};
  RawPeer pretends = server.accept();
  pretends.read_until("\r\n\r\n");
  pretends.write(
      "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: nonsense\r\n\r\n");
  EXPECT_FALSE(wrong_key.wait());
  EXPECT_EQ(failure.status, 101);
}

TEST(WebSocketServer, RefusesAnUpgradeThatIsNone) {
  Loop loop;
  WebSocketServer server{loop};
  RawPeer no_key{loop, server.port()};
  no_key.write("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  EXPECT_THAT(no_key.read_to_end(), StartsWith("HTTP/1.1 400 "));
  RawPeer old{loop, server.port()};
  old.write(
      "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n");
  EXPECT_THAT(old.read_to_end(), StartsWith("HTTP/1.1 426 "));
}

TEST(WebSocketServer, CountsAWebSocketUntilItEnds) {
  Loop loop;
  WebSocketServer server{loop};
  const auto client = open(loop, server.port());
  auto peer = server.take();
  EXPECT_EQ(server.http().connections(), 1u);
  peer.reset();
  loop.until([&] { return server.http().connections() == 0; });
}

}  // namespace
}  // namespace holdfast::net::test
