#include <gmock/gmock.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <net/lines.hpp>
#include <net/stream.hpp>

#include "harness.hpp"

namespace holdfast::net::test {
namespace {

using testing::HasSubstr;

ConnectOptions within(std::chrono::milliseconds timeout,
                      std::chrono::milliseconds repeat = std::chrono::milliseconds{0}) {
  ConnectOptions options;
  options.timeout = timeout;
  options.repeat_refused_for = repeat;
  return options;
}

TEST(Connect, TellsThatNobodyListens) {
  Loop loop;
  const auto tcp = loop.run(connect(tcp_at(free_port(loop)), within(10s)));
  ASSERT_FALSE(tcp);
  EXPECT_EQ(tcp.error().code, Errc::refused);
  EXPECT_THAT(tcp.error().message, HasSubstr("nobody listens there"));

  const SocketPath path;
  const auto missing = loop.run(connect(path.endpoint(), within(10s)));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::refused);
}

TEST(Connect, RepeatsARefusalUntilSomebodyListens) {
  Loop loop;
  const SocketPath path;
  asio::local::stream_protocol::acceptor acceptor{loop.io};
  acceptor.open();
  acceptor.bind(asio::local::stream_protocol::endpoint{path.path()});  // not listening yet
  Started<Result<ByteStreamPtr>> connecting{loop, connect(path.endpoint(), within(30s, 30s))};
  loop.settle();
  EXPECT_FALSE(connecting.done());
  acceptor.listen();
  EXPECT_TRUE(connecting.wait());
}

TEST(Connect, GivesUpRepeatingWhenItsTimeIsOver) {
  Loop loop;
  const auto begin = std::chrono::steady_clock::now();
  const auto refused = loop.run(connect(tcp_at(free_port(loop)), within(10s, 100ms)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::refused);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
}

TEST(Connect, WaitsOutAFullBacklogOfAUnixSocket) {
  Loop loop;
  const SocketPath path;
  asio::local::stream_protocol::acceptor acceptor{loop.io};
  acceptor.open();
  acceptor.bind(asio::local::stream_protocol::endpoint{path.path()});
  acceptor.listen(0);
  std::vector<Result<ByteStreamPtr>> filling;
  for (;;) {
    filling.push_back(loop.run(connect(path.endpoint(), within(10s))));
    if (!filling.back()) break;
    ASSERT_LT(filling.size(), 10u);
  }
  Started<Result<ByteStreamPtr>> waiting{loop, connect(path.endpoint(), within(30s, 30s))};
  loop.settle();
  EXPECT_FALSE(waiting.done());
  (void)acceptor.accept();
  EXPECT_TRUE(waiting.wait());
}

TEST(Connect, TriesEveryAddressOfAName) {
  Loop loop;
  tcp::acceptor only_v6{loop.io};
  boost::system::error_code ec;
  only_v6.open(tcp::v6(), ec);
  if (!ec) only_v6.bind(tcp::endpoint{asio::ip::address_v6::loopback(), 0}, ec);
  if (ec) {
    SUCCEED() << "this machine has no IPv6 loopback address";
    return;
  }
  only_v6.listen();
  Endpoint endpoint = tcp_at(only_v6.local_endpoint().port());
  endpoint.host = "localhost";
  EXPECT_TRUE(loop.run(connect(endpoint, within(10s))));
}

TEST(Connect, TellsThatANameHasNoAddress) {
  Loop loop;
  Endpoint endpoint = tcp_at(80);
  endpoint.host = "nobody.invalid";
  const auto failed = loop.run(connect(endpoint, within(20s)));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("nobody.invalid"));
}

TEST(Connect, NeverConnectsToItself) {
  Loop loop;
  // Whether the kernel draws the port as its own source port is chance: try often.
  const std::uint16_t port = free_port(loop);
  for (int i = 0; i < 200; ++i) {
    const auto stream = loop.run(connect(tcp_at(port), within(10s)));
    ASSERT_FALSE(stream);
  }
}

TEST(Connect, MayBeAbandonedWithItsIoContext) {
  auto loop = std::make_unique<Loop>();
  Endpoint endpoint = tcp_at(80);
  endpoint.host = "nobody.invalid";
  {
    Started<Result<ByteStreamPtr>> by_name{*loop, connect(endpoint, within(20s))};
    Started<Result<ByteStreamPtr>> repeating{*loop,
                                             connect(tcp_at(free_port(*loop)), within(20s, 20s))};
    loop->settle();
  }
  loop.reset();
}

}  // namespace
}  // namespace holdfast::net::test
