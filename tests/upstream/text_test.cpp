// Words, styled texts, attachments, recipients.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <upstream/attachment.hpp>
#include <upstream/recipient.hpp>
#include <upstream/text_style.hpp>
#include <upstream/words.hpp>
#include <vector>

namespace holdfast::upstream {
namespace {

using namespace std::chrono_literals;
using core::Reason;

TEST(Words, AreOneLineOfBoundedLength) {
  EXPECT_EQ(one_line(" a\r\n\tb \x01 c "), "a b c");
  EXPECT_EQ(one_line("abcdef", 3), "abc…");
  EXPECT_EQ(one_line("äöü", 3), "ä…") << "never cut inside a character";
  EXPECT_EQ(one_line(""), "");
  EXPECT_LE(one_line(std::string(10'000, 'x')).size(), words_bytes_max + 3);
}

TEST(Words, NameNoPerson) {
  EXPECT_EQ(without_identities("The user +15550100002 is not registered."),
            "The user +… is not registered.");
  EXPECT_EQ(without_identities("to 22222222-2222-4222-8222-222222222222, then"), "to …, then");
  EXPECT_EQ(without_identities("1+1=2, +12, 429"), "1+1=2, +12, 429");
  EXPECT_EQ(bridge_words(R"({"error":"no\nuser +15550100002"})"), "no user +…");
  EXPECT_EQ(bridge_words("<h1>404</h1>"), "<h1>404</h1>");
  EXPECT_EQ(bridge_words(R"({"error":5})"), R"({"error":5})");
}

TEST(Words, SayWhatWentWrongWithAConnection) {
  net::Endpoint tcp;
  tcp.host = "127.0.0.1";
  tcp.port = 8080;
  net::Endpoint local;
  local.kind = net::Endpoint::Kind::unix_socket;
  local.host = "/run/signal.sock";
  net::Endpoint tls = tcp;
  tls.kind = net::Endpoint::Kind::tls;

  struct Case {
    Errc code;
    const char* message;
    const net::Endpoint& endpoint;
    const char* asked;
    Reason reason;
    const char* evidence;
  };
  const std::vector<Case> cases{
      {Errc::refused, "x", tcp, "", Reason::refused, "127.0.0.1:8080 refused the connection"},
      {Errc::refused, "connecting: nobody listens there (no such file)", local, "", Reason::refused,
       "/run/signal.sock does not exist"},
      {Errc::refused, "Permission denied", local, "", Reason::refused,
       "no permission to use /run/signal.sock"},
      {Errc::timed_out, "x", tcp, "", Reason::timed_out,
       "no connection to 127.0.0.1:8080 within 10 s"},
      {Errc::timed_out, "x", tcp, "version", Reason::timed_out, "no answer to version within 10 s"},
      {Errc::closed, "x", tcp, "", Reason::closed, "127.0.0.1:8080 closed the connection"},
      {Errc::closed, "x", tcp, "version", Reason::closed,
       "127.0.0.1:8080 closed the connection instead of answering version"},
      {Errc::unresolved, "no such host", tcp, "", Reason::unreachable, "no such host"},
      {Errc::protocol, "bad status line", tcp, "", Reason::protocol, "bad status line"},
      {Errc::too_large, "a line is longer than the limit", tcp, "", Reason::protocol,
       "a line is longer than the limit"},
      {Errc::protocol, "the TLS certificate of x could not be verified: expired", tls, "",
       Reason::unauthorised, "the TLS certificate of x could not be verified: expired"},
      {Errc::cancelled, "x", tcp, "", Reason::stopped, "Holdfast is stopping"},
  };
  for (const Case& one : cases) {
    const core::Failure failure = failure_of(Error{one.code, one.message}, one.endpoint, one.asked);
    EXPECT_EQ(failure.reason, one.reason) << one.evidence;
    EXPECT_EQ(failure.evidence, one.evidence);
  }
}

TEST(RetryAfter, IsSecondsOrADate) {
  const std::chrono::system_clock::time_point now{784'111'777s};  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(parse_retry_after("30", now), 30s);
  EXPECT_EQ(parse_retry_after(" 30 ", now), 30s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), 60s);
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", now), 60s);
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:50:37 1994", now), 60s);
  EXPECT_EQ(parse_retry_after("99999999999999999999", now), 720h) << "bounded";
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 2094 08:50:37 GMT", now), 720h);
  for (const char* text : {"", "0", "-5", "soon", "1.5", "Sun, 06 Nov 1994 08:49:36 GMT",
                           "Sun, 06 Nov 1994 08:50:37 GMT and more"}) {
    EXPECT_FALSE(parse_retry_after(text, now).has_value()) << text;
  }
}

struct Styled {
  const char* markup;
  const char* text;
  std::vector<std::string> styles;
};

TEST(TextStyle, ReadsMarkupAsTheRestBridgeDoes) {
  const std::vector<Styled> cases{
      {"plain", "plain", {}},
      {"*italic*", "italic", {"0:6:ITALIC"}},
      {"**bold**", "bold", {"0:4:BOLD"}},
      {"a **bold** and *it* x", "a bold and it x", {"2:4:BOLD", "11:2:ITALIC"}},
      {"~gone~ `code`", "gone code", {"0:4:STRIKETHROUGH", "5:4:MONOSPACE"}},
      {"||hidden|| and ||more||", "hidden and more", {"0:6:SPOILER", "11:4:SPOILER"}},
      {"||**both**||", "both", {"0:4:BOLD", "0:4:SPOILER"}},
      {"***both***", "both", {"0:4:BOLD", "0:4:ITALIC"}},
      {"👋**abc**", "👋abc", {"2:3:BOLD"}},
      {"👋🏾 é **x**", "👋🏾 é x", {"7:1:BOLD"}},
      {R"(\*kept\*)", "*kept*", {}},
      {R"(\**kept\**)", "**kept**", {}},
      {R"(\`a\` \~b\~ \||c\||)", "`a` ~b~ ||c||", {}},
      {R"(a\b)", R"(a\b)", {}},
      {R"(C:\dir)", R"(C:\dir)", {}},
      {R"(trailing\)", R"(trailing\)", {}},
      {"a | b", "a | b", {}},
      {R"(\|)", "|", {}},
      {"*alone", "alone", {}},
      {"", "", {}},
  };
  for (const Styled& one : cases) {
    const StyledText styled = parse_styled(one.markup);
    EXPECT_EQ(styled.text, one.text) << one.markup;
    EXPECT_EQ(styled.styles, one.styles) << one.markup;
  }
}

TEST(Base64, SurvivesARoundTripOfEveryLength) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const auto back = base64_decode(base64_encode(bytes));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, bytes);
    bytes += static_cast<char>(i * 37);
  }
  EXPECT_EQ(base64_encode("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  EXPECT_FALSE(base64_decode("a"));
  EXPECT_FALSE(base64_decode("ab!d"));
  EXPECT_FALSE(base64_decode("ab=cd"));
}

TEST(Attachment, BecomesADataUriThatSignalCliTakes) {
  const std::string png = base64_encode("\x89PNG\r\n\x1a\n and more");
  struct Case {
    std::string given;
    std::string uri;
  };
  const std::vector<Case> cases{
      {png, "data:image/png;base64," + png},
      {"aGVsbG8=", "data:text/plain;base64,aGVsbG8="},
      {"aGVs\r\nbG8=\n", "data:text/plain;base64,aGVsbG8="},
      {"aGVsbG8", "data:text/plain;base64,aGVsbG8="},
      {"AAECAw==", "data:application/octet-stream;base64,AAECAw=="},
      {"data:image/jpeg;base64,AAECAw==", "data:image/jpeg;base64,AAECAw=="},
      {"data:image/jpeg;filename=a b+c.jpg;base64,AAECAw==",
       "data:image/jpeg;filename=a%20b%2Bc.jpg;base64,AAECAw=="},
      {"data:text/plain;charset=utf-8;base64,aGVsbG8=", "data:text/plain;base64,aGVsbG8="},
      {"data:;base64,aGVsbG8=", "data:text/plain;base64,aGVsbG8="},
  };
  for (const Case& one : cases) {
    const auto uri = to_data_uri(one.given);
    ASSERT_TRUE(uri) << one.given;
    EXPECT_EQ(*uri, one.uri);
  }
}

TEST(Attachment, IsRefusedWhereSignalCliWouldLeaveOpenWhatHappened) {
  for (const char* given :
       {"", "not base64!", "a", "data:text/plain;base64,", "data:text/plain,hello"}) {
    const auto uri = to_data_uri(given);
    ASSERT_FALSE(uri) << given;
    EXPECT_EQ(uri.error().code, Errc::invalid_argument);
  }
}

TEST(Attachment, TypeIsToldFromTheFirstBytes) {
  EXPECT_EQ(media_type("\xff\xd8\xff\xe0"), "image/jpeg");
  EXPECT_EQ(media_type("RIFF....WEBPVP8 "), "image/webp");
  EXPECT_EQ(media_type(std::string_view{"\0\0\0\x20"
                                        "ftypisom",
                                        12}),
            "video/mp4");
  EXPECT_EQ(media_type("%PDF-1.7"), "application/pdf");
  EXPECT_EQ(media_type("OggS"), "audio/ogg");
  EXPECT_EQ(media_type("hi\n"), "text/plain");
  EXPECT_EQ(media_type(""), "application/octet-stream");
}

TEST(Recipient, IsTypedAsTheRestBridgeDoes) {
  const std::string internal = base64_encode("group-id-of-thirty-two-bytes!!!!");
  const std::string group = external_group_id(internal);
  struct Case {
    std::string text;
    Recipient::Kind kind;
    std::string value;
  };
  const std::vector<Case> cases{
      {"+15550100002", Recipient::Kind::person, "+15550100002"},
      {"+1 555 010 0002", Recipient::Kind::person, "+1 555 010 0002"},
      {"22222222-2222-4222-8222-222222222222", Recipient::Kind::person,
       "22222222-2222-4222-8222-222222222222"},
      {"bob.42", Recipient::Kind::username, "bob.42"},
      {"group.42", Recipient::Kind::username, "group.42"},
      {group, Recipient::Kind::group, internal},
  };
  for (const Case& one : cases) {
    const auto recipient = parse_recipient(one.text);
    ASSERT_TRUE(recipient) << one.text;
    EXPECT_EQ(recipient->kind, one.kind) << one.text;
    EXPECT_EQ(recipient->value, one.value);
  }
  for (const std::string& text :
       {std::string{}, "group." + base64_encode(base64_encode("short")), "group." + internal,
        std::string{"group.this is no base64 at all"}}) {
    const auto recipient = parse_recipient(text);
    ASSERT_FALSE(recipient) << text;
    EXPECT_EQ(recipient.error().code, Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace holdfast::upstream
