#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <net/http.hpp>
#include <net/url.hpp>

namespace holdfast::net {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto url = parse_url(text);
  return url ? "" : url.error().message;
}

TEST(Url, ReadsSchemeHostPortAndPath) {
  const auto url = parse_url("http://example.org:8080/signal/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "http");
  EXPECT_EQ(url->endpoint.kind, Endpoint::Kind::tcp);
  EXPECT_EQ(url->endpoint.host, "example.org");
  EXPECT_EQ(url->endpoint.port, 8080);
  EXPECT_EQ(url->path, "/signal");
}

TEST(Url, KnowsThePortsThatGoWithoutSaying) {
  EXPECT_EQ(parse_url("http://h")->endpoint.port, 80);
  EXPECT_EQ(parse_url("HTTPS://h")->endpoint.port, 443);
  EXPECT_EQ(parse_url("https://h")->endpoint.kind, Endpoint::Kind::tls);
  EXPECT_EQ(parse_url("tcp://h")->endpoint.port, 7583);
  EXPECT_THAT(error_of("tls://h"), HasSubstr("names no port"));
}

TEST(Url, ReadsSixAddressesInBrackets) {
  const auto url = parse_url("tcp://[::1]:7583");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->endpoint.host, "::1");
  EXPECT_EQ(url->endpoint.to_string(), "[::1]:7583");
  EXPECT_TRUE(url->endpoint.is_local());
  EXPECT_THAT(error_of("tcp://::1:7583"), HasSubstr("brackets"));
  EXPECT_THAT(error_of("tcp://[::1:7583"), HasSubstr("no ']'"));
  EXPECT_THAT(error_of("tcp://[nope]:1"), HasSubstr("no IPv6 address"));
}

TEST(Url, ReadsUnixPathsWithOneOrThreeSlashes) {
  EXPECT_EQ(parse_url("unix:/run/signal/socket")->endpoint.host, "/run/signal/socket");
  EXPECT_EQ(parse_url("unix:///run/signal/socket")->endpoint.host, "/run/signal/socket");
  EXPECT_TRUE(parse_url("unix:/run/socket")->endpoint.is_local());
  EXPECT_EQ(parse_url("unix:/run/socket")->endpoint.to_string(), "unix:/run/socket");
  EXPECT_THAT(error_of("unix:relative"), HasSubstr("must start with '/'"));
  EXPECT_THAT(error_of("unix:/" + std::string(120, 'x')), HasSubstr("121 > 107"));
}

TEST(Url, ReadsTheStandIn) {
  EXPECT_EQ(parse_url("sim:")->scheme, "sim");
  EXPECT_THAT(error_of("sim:x"), HasSubstr("nothing may follow"));
}

TEST(Url, NamesThePartThatIsWrong) {
  EXPECT_THAT(error_of("127.0.0.1"), HasSubstr("is no URL"));
  EXPECT_THAT(error_of(""), HasSubstr("is no URL"));
  EXPECT_THAT(error_of("ftp://h"), HasSubstr("\"ftp\""));
  EXPECT_THAT(error_of("http:h"), HasSubstr("lacks \"//\""));
  EXPECT_THAT(error_of("http://"), HasSubstr("names no host"));
  EXPECT_THAT(error_of("http://h:99999"), HasSubstr("port"));
  EXPECT_THAT(error_of("http://h:"), HasSubstr("port"));
  EXPECT_THAT(error_of("http://h:0"), HasSubstr("port 0"));
  EXPECT_THAT(error_of("http://h:80x"), HasSubstr("port"));
  EXPECT_THAT(error_of("http://h/a?b=c"), HasSubstr("query"));
  EXPECT_THAT(error_of("http://h/a b"), HasSubstr("space"));
  EXPECT_THAT(error_of("http://user:secret@h"), HasSubstr("password"));
  EXPECT_THAT(error_of("http://user:secret@h"), Not(HasSubstr("secret")));
  EXPECT_THAT(error_of("http://h_$"), HasSubstr("no host name"));
}

TEST(Url, KnowsWhatIsOnThisMachine) {
  EXPECT_TRUE(parse_url("http://localhost")->endpoint.is_local());
  EXPECT_TRUE(parse_url("http://127.5.0.1")->endpoint.is_local());
  EXPECT_FALSE(parse_url("http://10.0.0.1")->endpoint.is_local());
  EXPECT_FALSE(parse_url("http://localhost.example.org")->endpoint.is_local());
}

TEST(ListenAddress, TakesAnAddressWithPortOrAPortAlone) {
  EXPECT_EQ(parse_listen_address("8090")->to_string(), "127.0.0.1:8090");
  EXPECT_EQ(parse_listen_address("0.0.0.0:0")->to_string(), "0.0.0.0:0");
  EXPECT_EQ(parse_listen_address("[::1]:8090")->to_string(), "[::1]:8090");
  EXPECT_EQ(parse_listen_address("localhost:1")->host, "127.0.0.1");
}

TEST(ListenAddress, RefusesWhatCannotBeListenedOn) {
  EXPECT_THAT(parse_listen_address(":8090").error().message, HasSubstr("127.0.0.1:8090"));
  EXPECT_THAT(parse_listen_address("example.org:1").error().message, HasSubstr("in numbers"));
  EXPECT_THAT(parse_listen_address("127.0.0.1").error().message, HasSubstr("names no port"));
  EXPECT_THAT(parse_listen_address("127.0.0.1:70000").error().message, HasSubstr("port"));
}

TEST(Percent, DecodesWhatWasEncodedAndLeavesThePlusAlone) {
  const std::string all = "+1555 /?&=%\xc3\xa4";
  EXPECT_EQ(percent_encode("+1 a~"), "%2B1%20a~");
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode("+1555"), "+1555");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
}

TEST(HttpRequest, ReadsPathAndQuery) {
  HttpRequest request;
  request.target = "/v1/receive/%2B15550001111?timeout=5&name=a%26b&flag&empty=";
  EXPECT_EQ(request.path(), "/v1/receive/+15550001111");
  EXPECT_EQ(request.raw_path(), "/v1/receive/%2B15550001111");
  EXPECT_EQ(request.query("timeout"), "5");
  EXPECT_EQ(request.query("name"), "a&b");
  EXPECT_TRUE(request.has_query("flag"));
  EXPECT_TRUE(request.has_query("empty"));
  EXPECT_FALSE(request.has_query("other"));
}

TEST(HttpRequest, KnowsAWebSocketUpgradeInEverySpelling) {
  HttpRequest request;
  request.headers = {{"connection", "keep-alive, Upgrade"}, {"UPGRADE", "WebSocket"}};
  EXPECT_TRUE(request.is_websocket_upgrade());
  request.headers = {{"Connection", "keep-alive"}, {"Upgrade", "websocket"}};
  EXPECT_FALSE(request.is_websocket_upgrade());
  EXPECT_EQ(header(request.headers, "upGRADE"), "websocket");
  EXPECT_EQ(header(request.headers, "absent"), "");
}

}  // namespace
}  // namespace holdfast::net
