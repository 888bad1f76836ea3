#include <gmock/gmock.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <fstream>
#include <net/lines.hpp>

#include "harness.hpp"

namespace holdfast::net::test {
namespace {

using testing::HasSubstr;

LineStreamPtr connect_to(Loop& loop, Endpoint endpoint,
                         std::size_t line_bytes_max = line_bytes_max_default) {
  auto lines = loop.run(connect_lines(std::move(endpoint), ConnectOptions{}, line_bytes_max));
  EXPECT_TRUE(lines) << lines.error().message;
  return lines ? *lines : nullptr;
}

Task<> echo(LineStreamPtr lines) {
  for (;;) {
    auto line = co_await lines->read_line();
    if (!line) co_return;
    (void)co_await lines->write_line(std::move(*line));
  }
}

std::unique_ptr<LineServer> echo_server(Loop& loop, const Endpoint& endpoint) {
  auto server = listen_lines(loop.io, endpoint, echo);
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

TEST(Lines, ComeBackAsTheyWereSentOverTcpAndUnix) {
  Loop loop;
  const SocketPath path;
  const auto tcp_server = echo_server(loop, tcp_at(0));
  const auto unix_server = echo_server(loop, path.endpoint());
  for (const Endpoint& endpoint : {tcp_at(tcp_server->port()), path.endpoint()}) {
    const auto lines = connect_to(loop, endpoint);
    for (const std::string& text : {std::string{"one"}, std::string{}, std::string(300'000, 'x')}) {
      EXPECT_TRUE(loop.run(lines->write_line(text)));
      EXPECT_EQ(*loop.run(lines->read_line()), text);
    }
  }
}

TEST(Lines, MayEndWithCarriageReturnAndMayComeInAnyPieces) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();
  peer.write("one\r\ntwo\n\r\n\nfi");
  EXPECT_EQ(*loop.run(lines->read_line()), "one");
  EXPECT_EQ(*loop.run(lines->read_line()), "two");
  EXPECT_EQ(*loop.run(lines->read_line()), "");
  EXPECT_EQ(*loop.run(lines->read_line()), "");
  Started<Result<std::string>> fifth{loop, lines->read_line()};
  for (const char c : std::string{"ve\r\n"}) {
    EXPECT_FALSE(fifth.done());
    peer.write(std::string(1, c));
    loop.settle();
  }
  EXPECT_EQ(*fifth.wait(), "five");
}

TEST(Lines, OfManyMegabytesPass) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();
  std::string big(8u << 20, 'a');
  for (std::size_t i = 0; i < big.size(); i += 1009) big[i] = 'b';
  peer.start_writing(big + "\nsmall\n" + big + "\n");
  EXPECT_EQ(*loop.run(lines->read_line()), big);
  EXPECT_EQ(*loop.run(lines->read_line()), "small");
  EXPECT_EQ(*loop.run(lines->read_line()), big);
}

TEST(Lines, AboveTheLimitFailWithTooLarge) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()), 1000);
  RawPeer peer = server.accept();
  peer.write(std::string(1000, 'x') + "\n");
  EXPECT_EQ(loop.run(lines->read_line())->size(), 1000u);
  peer.write(std::string(1001, 'x') + "\n");
  const auto whole = loop.run(lines->read_line());
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, Errc::too_large);
  peer.start_writing(std::string(20'000, 'x'));
  const auto endless = loop.run(lines->read_line());
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, Errc::too_large);
}

TEST(Lines, EndWithClosedWhenThePeerEndsOrResets) {
  Loop loop;
  RawServer server{loop};
  for (const bool reset : {false, true}) {
    const auto lines = connect_to(loop, tcp_at(server.port()));
    RawPeer peer = server.accept();
    peer.write("whole\npart");
    EXPECT_EQ(*loop.run(lines->read_line()), "whole");
    if (reset) {
      peer.reset();
    } else {
      peer.close();
    }
    const auto end = loop.run(lines->read_line());
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().code, Errc::closed);
  }
}

TEST(Lines, CloseEndsAReadAndAWriteThatWait) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();  // reads nothing
  Started<Result<std::string>> read{loop, lines->read_line()};
  Started<Result<void>> write{loop, lines->write_line(std::string(64u << 20, 'x'))};
  Started<Result<void>> queued{loop, lines->write_line("after it")};
  loop.settle();
  EXPECT_FALSE(read.done());
  EXPECT_FALSE(write.done());
  lines->close();
  lines->close();
  EXPECT_EQ(read.wait().error().code, Errc::closed);
  EXPECT_EQ(write.wait().error().code, Errc::closed);
  EXPECT_EQ(queued.wait().error().code, Errc::closed);
  EXPECT_EQ(loop.run(lines->read_line()).error().code, Errc::closed);
}

TEST(Lines, MayBeDestroyedWhileAReadWaits) {
  Loop loop;
  RawServer server{loop};
  auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();
  Started<Result<std::string>> read{loop, lines->read_line()};
  loop.settle();
  lines.reset();
  EXPECT_EQ(read.wait().error().code, Errc::closed);
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST(Lines, OfSeveralWritersNeverMix) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();
  std::string expected;
  std::vector<std::unique_ptr<Started<Result<void>>>> writes;
  for (int i = 0; i < 20; ++i) {
    const std::string line(200'000, static_cast<char>('a' + i));
    expected += line + "\n";
    writes.push_back(std::make_unique<Started<Result<void>>>(loop, lines->write_line(line)));
  }
  EXPECT_EQ(peer.read_exactly(expected.size()), expected);
  for (auto& write : writes) EXPECT_TRUE(write->wait());
}

TEST(Lines, StillComeInAfterOurDirectionHasEnded) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();
  const std::string question(4u << 20, 'q');
  Started<Result<void>> write{loop, lines->write_line(question)};
  loop.settle();
  lines->shutdown_send();  // the write that is under way is finished first
  EXPECT_EQ(peer.read_to_end(), question + "\n");
  peer.write("answer\n");
  EXPECT_EQ(*loop.run(lines->read_line()), "answer");
}

TEST(Lines, TellWhenTheLastByteCame) {
  Loop loop;
  RawServer server{loop};
  const auto lines = connect_to(loop, tcp_at(server.port()));
  RawPeer peer = server.accept();
  const auto before = std::chrono::steady_clock::now();
  Started<Result<std::string>> read{loop, lines->read_line()};
  loop.settle();
  EXPECT_LE(lines->last_byte_at(), before);
  peer.write("x");
  loop.until([&] { return lines->last_byte_at() >= before; });
  EXPECT_FALSE(read.done());
}

TEST(LineServer, TakesTheNextConnectionWhenOneHandlerFails) {
  Loop loop;
  const auto failing = listen_lines(loop.io, tcp_at(0), [](LineStreamPtr lines) -> Task<> {
    (void)co_await lines->write_line("hello");
    throw std::runtime_error{"a handler's own"};
  });
  ASSERT_TRUE(failing);
  for (int i = 0; i < 2; ++i) {
    const auto lines = connect_to(loop, tcp_at((*failing)->port()));
    EXPECT_EQ(*loop.run(lines->read_line()), "hello");
    EXPECT_EQ(loop.run(lines->read_line()).error().code, Errc::closed);
  }
}

TEST(LineServer, RefusesNewConnectionsOnceDestroyedAndLeavesTheOldOnes) {
  Loop loop;
  auto server = echo_server(loop, tcp_at(0));
  const std::uint16_t port = server->port();
  const auto lines = connect_to(loop, tcp_at(port));
  EXPECT_TRUE(loop.run(lines->write_line("one")));
  EXPECT_EQ(*loop.run(lines->read_line()), "one");
  server.reset();
  const auto refused = loop.run(connect_lines(tcp_at(port), ConnectOptions{}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::refused);
  EXPECT_TRUE(loop.run(lines->write_line("two")));
  EXPECT_EQ(*loop.run(lines->read_line()), "two");
}

TEST(LineServer, TakesOverTheSocketFileOfADeadProgramButNotOfALiveOne) {
  Loop loop;
  const SocketPath path;
  {
    asio::local::stream_protocol::acceptor dead{loop.io};
    dead.open();
    dead.bind(asio::local::stream_protocol::endpoint{path.path()});
  }
  const auto server = echo_server(loop, path.endpoint());
  const auto second = listen_lines(loop.io, path.endpoint(), echo);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("in use by another program"));
}

TEST(LineServer, NeverRemovesAFileThatIsNoSocket) {
  Loop loop;
  const SocketPath path;
  std::ofstream{path.path()} << "precious";
  const auto server = listen_lines(loop.io, path.endpoint(), echo);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("is no socket"));
  std::string kept;
  std::ifstream{path.path()} >> kept;
  EXPECT_EQ(kept, "precious");
}

}  // namespace
}  // namespace holdfast::net::test
