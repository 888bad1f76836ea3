#include <gtest/gtest.h>

#include <api/guard.hpp>

namespace holdfast::api {
namespace {

net::HttpRequest request(std::string target, net::Headers headers) {
  net::HttpRequest made;
  made.target = std::move(target);
  made.headers = std::move(headers);
  return made;
}

gateway::Config config() {
  gateway::Config made;
  made.listen.host = "127.0.0.1";
  return made;
}

/// The status that a request is refused with; 0 if it may pass.
int verdict(const gateway::Config& with, net::HttpRequest asked) {
  const Guard guard{with};
  const auto admission = guard.admit(asked);
  return admission.refusal ? admission.refusal->status : 0;
}

int verdict_for_host(const gateway::Config& with, const std::string& host) {
  return verdict(with, request("/v1/about", {{"Host", host}}));
}

TEST(Guard, LetsTheNamesOfLoopbackPassWithAnyPort) {
  for (const char* host : {"localhost", "LOCALHOST:9", "localhost.", "127.0.0.1:8090", "127.8.8.8",
                           "[::1]:8090", "[::1]", "[::ffff:127.0.0.1]"})
    EXPECT_EQ(verdict_for_host(config(), host), 0) << host;
}

TEST(Guard, RefusesAForeignHostAsMisdirected) {
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "",
                           "192.168.1.5", "[::1", "evil.example:127.0.0.1"})
    EXPECT_EQ(verdict_for_host(config(), host), 421) << host;
}

TEST(Guard, KnowsTheListenAddressAndTheAllowedHosts) {
  gateway::Config with = config();
  with.listen.host = "192.168.1.5";
  with.auth_none = true;
  with.allowed_hosts = {"Holdfast.lan", "holdfast:8090"};
  EXPECT_EQ(verdict_for_host(with, "192.168.1.5:8090"), 0);
  EXPECT_EQ(verdict_for_host(with, "holdfast.LAN:1"), 0);
  EXPECT_EQ(verdict_for_host(with, "holdfast"), 0);
  EXPECT_EQ(verdict_for_host(with, "192.168.1.6"), 421);
}

TEST(Guard, TakesAnyAddressButNoNameWhereItListensOnAllAddresses) {
  gateway::Config with = config();
  with.auth_none = true;
  for (const char* all : {"0.0.0.0", "::"}) {
    with.listen.host = all;
    EXPECT_EQ(verdict_for_host(with, "192.168.1.5:8090"), 0);
    EXPECT_EQ(verdict_for_host(with, "[fd00::1]:8090"), 0);
    EXPECT_EQ(verdict_for_host(with, "rebound.example"), 421);
  }
}

TEST(Guard, LetsOnlyItsOwnPagesCallIt) {
  const auto from = [&](const std::string& origin, const std::string& host) {
    return verdict(config(), request("/v2/send", {{"Host", host}, {"Origin", origin}}));
  };
  EXPECT_EQ(from("http://localhost:8090", "localhost:8090"), 0);
  EXPECT_EQ(from("http://LOCALHOST:8090", "localhost:8090"), 0);
  EXPECT_EQ(from("http://localhost", "localhost:80"), 0);
  EXPECT_EQ(from("https://localhost", "localhost"), 0);
  EXPECT_EQ(from("http://localhost:3000", "localhost:8090"), 403);
  EXPECT_EQ(from("http://evil.example", "localhost:8090"), 403);
  EXPECT_EQ(from("null", "localhost:8090"), 403);
}

TEST(Guard, RefusesABrowsersRequestForAnotherSiteThatHasNoOrigin) {
  const auto from = [&](const std::string& site, const std::string& mode, const std::string& path) {
    return verdict(
        config(),
        request(path, {{"Host", "localhost"}, {"Sec-Fetch-Site", site}, {"Sec-Fetch-Mode", mode}}));
  };
  EXPECT_EQ(from("cross-site", "no-cors", "/v1/receive/%2B15550100001"), 403);
  EXPECT_EQ(from("same-site", "navigate", "/v1/receive/%2B15550100001"), 403);
  EXPECT_EQ(from("cross-site", "navigate", "/"), 0) << "a link to the page is welcome";
  EXPECT_EQ(from("same-origin", "cors", "/v1/about"), 0);
  EXPECT_EQ(from("none", "navigate", "/v1/about"), 0) << "typed by a person";
}

TEST(Guard, NeedsATokenWhereOneIsSet) {
  gateway::Config with = config();
  with.tokens = {"correct horse", "second"};
  const auto with_header = [&](const std::string& value) {
    return verdict(with, request("/v1/about", {{"Host", "localhost"}, {"Authorization", value}}));
  };
  EXPECT_EQ(verdict_for_host(with, "localhost"), 401);
  EXPECT_EQ(with_header("Bearer correct horse"), 0);
  EXPECT_EQ(with_header("bearer second"), 0);
  EXPECT_EQ(with_header("Bearer secon"), 401);
  EXPECT_EQ(with_header("Bearer "), 401);
  EXPECT_EQ(with_header("Basic Ym90OnNlY29uZA=="), 0) << "bot:second";
  EXPECT_EQ(with_header("Basic c2Vjb25kOmJvdA=="), 401) << "the user name is no token";
  EXPECT_EQ(with_header("Basic ???"), 401);
}

TEST(Guard, SaysHowToAuthenticate) {
  gateway::Config with = config();
  with.tokens = {"secret"};
  net::HttpRequest asked = request("/", {{"Host", "localhost"}});
  const auto admission = Guard{with}.admit(asked);
  ASSERT_TRUE(admission.refusal);
  EXPECT_NE(net::header(admission.refusal->headers, "WWW-Authenticate"), "");
  EXPECT_NE(admission.refusal->body.find(R"("code":"unauthorised")"), std::string::npos);
}

TEST(Guard, TakesATokenFromTheUrlAndStripsIt) {
  gateway::Config with = config();
  with.tokens = {"a/b"};
  const Guard guard{with};
  net::HttpRequest asked = request("/t/a%2Fb/v1/receive/%2B1?timeout=2", {{"Host", "localhost"}});
  const auto admission = guard.admit(asked);
  EXPECT_FALSE(admission.refusal);
  EXPECT_EQ(asked.target, "/v1/receive/%2B1?timeout=2");
  EXPECT_EQ(admission.prefix, "/t/a%2Fb");

  net::HttpRequest wrong = request("/t/ab/v1/about", {{"Host", "localhost"}});
  EXPECT_EQ(guard.admit(wrong).refusal->status, 401);
}

TEST(Guard, SendsTheBareTokenAddressOnToThePage) {
  gateway::Config with = config();
  with.tokens = {"secret"};
  net::HttpRequest asked = request("/t/secret", {{"Host", "localhost"}});
  const auto admission = Guard{with}.admit(asked);
  ASSERT_TRUE(admission.refusal);
  EXPECT_EQ(admission.refusal->status, 301);
  EXPECT_EQ(net::header(admission.refusal->headers, "Location"), "secret/");
}

TEST(Guard, TakesATokenOffBeforeTheBridgeCouldSeeIt) {
  gateway::Config with = config();
  with.tokens = {"secret"};
  net::HttpRequest asked =
      request("/v1/groups/+1", {{"Host", "localhost"}, {"Authorization", "Bearer secret"}});
  EXPECT_FALSE(Guard{with}.admit(asked).refusal);
  EXPECT_EQ(net::header(asked.headers, "Authorization"), "");
}

TEST(Guard, StaysShutBeyondLoopbackWithoutATokenUnlessToldOtherwise) {
  gateway::Config with = config();
  with.listen.host = "192.168.1.5";
  EXPECT_EQ(verdict_for_host(with, "192.168.1.5"), 401);
  with.auth_none = true;
  EXPECT_EQ(verdict_for_host(with, "192.168.1.5"), 0);
}

TEST(Guard, NeverTakesAnEmptyToken) {
  gateway::Config with = config();
  with.tokens = {""};
  EXPECT_EQ(verdict_for_host(with, "localhost"), 401);
  EXPECT_EQ(verdict(with, request("/t//v1/about", {{"Host", "localhost"}})), 401);
}

}  // namespace
}  // namespace holdfast::api
