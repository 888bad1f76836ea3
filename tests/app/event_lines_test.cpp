#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <app/event_lines.hpp>
#include <app/message_text.hpp>
#include <app/output.hpp>

namespace holdfast::app {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t noon_ms = 1'740'830'400'125;  // 2025-03-01T12:00:00.125Z

class Lines : public testing::Test {
 protected:
  std::string line(const std::string& type, const std::string& json) {
    return lines_.line(gateway::Event{++id_, type, json}, noon_ms).value_or("no line");
  }
  void transition(const std::string& from, const std::string& to) {
    line("transition", R"({"account":"+15550100001","from":")" + from + R"(","to":")" + to + "\"}");
  }
  std::string entry(const std::string& from, const std::string& state) {
    return line("entry",
                R"({"account":"+15550100001","recipient":"+15550100099","id":"0badcafe-7",)"
                R"("from":)" +
                    (from.empty() ? "null" : '"' + from + '"') + R"(,"state":")" + state +
                    R"(","why":""})");
  }

  EventLines lines_{TimeStyle::full, false};
  std::uint64_t id_ = 0;
};

TEST_F(Lines, SayWhenALinkMovedAndWhy) {
  EXPECT_EQ(line("transition", R"({"account":"+15550100001","from":"CONNECTED","to":"DISCONNECTED",
                                   "at":1740830400007,"evidence":"the bridge closed"})"),
            "2025-03-01T12:00:00.007Z  …01     CONNECTED → DISCONNECTED  the bridge closed");
}

TEST_F(Lines, SayHowLongAnAttemptIsWaitedForAndWhatTheFormulaSays) {
  EXPECT_EQ(line("transition", R"({"account":"+15550100001","from":"DISCONNECTED",
                                   "to":"RECONNECTING","at":1740830400007,"attempt_count":3,
                                   "nominal_delay_ms":4000,"actual_delay_ms":3100})"),
            "2025-03-01T12:00:00.007Z  …01  DISCONNECTED → RECONNECTING  "
            "attempt 3 in 3.1 s (nominal 4 s)");
}

TEST_F(Lines, CountABatchOfMessages) {
  EXPECT_EQ(
      line("received", R"({"account":"+15550100001","frames":3,"duplicates":1,"last_seq":41})"),
      "2025-03-01T12:00:00.125Z  …01  received 3 messages, stored up to 41 (1 repeated and "
      "left out)");
}

TEST_F(Lines, ShowASendThatGoesThroughOnce) {
  transition("SYNCING", "CONNECTED");
  EXPECT_EQ(entry("", "queued"), "no line");
  EXPECT_EQ(entry("queued", "sending"), "no line");
  EXPECT_EQ(entry("sending", "sent"), "2025-03-01T12:00:00.125Z  …01  send 0badcafe-7 sent");
}

TEST_F(Lines, ShowASendThatWaitsForTheBridge) {
  transition("CONNECTED", "DISCONNECTED");
  EXPECT_THAT(entry("", "queued"), HasSubstr("queued until the bridge is back"));
}

TEST_F(Lines, NeverShowANumberInFull) {
  transition("CONNECTED", "DISCONNECTED");
  for (const char* state : {"queued", "sent", "failed", "held"}) {
    EXPECT_THAT(entry("sending", state), Not(HasSubstr("15550100")));
  }
}

TEST_F(Lines, LeaveOutWhatIsForThePageAlone) {
  EXPECT_EQ(line("link", R"({"account":"+15550100001"})"), "no line");
  EXPECT_EQ(line("something new", "not even JSON"), "no line");
}

TEST(DurationText, ReadsAtAGlance) {
  EXPECT_EQ(duration_text(0), "0 ms");
  EXPECT_EQ(duration_text(640), "640 ms");
  EXPECT_EQ(duration_text(3'000), "3 s");
  EXPECT_EQ(duration_text(3'240), "3.2 s");
  EXPECT_EQ(duration_text(59'999), "59.9 s");
  EXPECT_EQ(duration_text(60'000), "1 min");
  EXPECT_EQ(duration_text(250'000), "4 min 10 s");
  EXPECT_EQ(duration_text(11'100'000), "3 h 5 min");
  EXPECT_EQ(duration_text(187'200'000), "2 d 4 h");
  EXPECT_EQ(duration_text(-5), "0 ms");
}

TEST(StateText, IsColouredForTerminalsOnly) {
  EXPECT_EQ(state_text("CONNECTED", false), "CONNECTED");
  EXPECT_EQ(state_text("CONNECTED", true), "\x1b[32mCONNECTED\x1b[0m");
}

TEST(Harmless, KeepsTextFromCommandingTheTerminal) {
  EXPECT_EQ(harmless("\x1b]0;title\x07 grün ✓"), " ]0;title  grün ✓");
  EXPECT_EQ(harmless("\xc2\x9b"
                     "31m"),
            " 31m");
  EXPECT_EQ(harmless("two\nlines"), "two\n    lines");
}

TEST(MessageText, SaysWhenWhoAndWhat) {
  EXPECT_EQ(message_text(R"({"envelope":{"sourceName":"Ada","sourceNumber":"+15550100002",
                             "timestamp":1740830400125,"dataMessage":{"message":"hello"}},
                             "account":"+15550100001"})"),
            "2025-03-01T12:00:00.125Z  Ada +15550100002: hello");
}

TEST(MessageText, NamesTheGroupAndTheKind) {
  const auto text = [](const std::string& content) {
    return message_text(R"({"envelope":{"sourceUuid":"an-aci",)" + content + "}}");
  };
  EXPECT_THAT(text(R"("dataMessage":{"message":"hi","groupInfo":{"groupId":"abc="}})"),
              HasSubstr("an-aci in abc=: hi"));
  EXPECT_THAT(text(R"("dataMessage":{"message":null,"attachments":[{},{}]})"),
              HasSubstr(": (2 attachments)"));
  EXPECT_THAT(text(R"("dataMessage":{"reaction":{"emoji":"+1","targetSentTimestamp":7}})"),
              HasSubstr("(reacted +1 to the message of 7)"));
  EXPECT_THAT(text(R"("receiptMessage":{"isRead":true,"timestamps":[1]})"),
              HasSubstr("an-aci (read 1 message)"));
  EXPECT_THAT(text(R"("typingMessage":{"action":"STARTED"})"), HasSubstr("(is typing)"));
  EXPECT_THAT(text(R"("syncMessage":{})"), HasSubstr("(news from another device)"));
}

TEST(MessageText, ShowsWhatIsNoMessageAsItIs) {
  EXPECT_EQ(message_text("broken{"), "(a frame that is no message) broken{");
}

}  // namespace
}  // namespace holdfast::app
