#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <upstream/envelope.hpp>
#include <vector>

namespace holdfast::upstream {
namespace {

using core::FrameKind;

/// A frame of a sender with ACI; `body` is the member behind the timestamps.
std::string frame_of(const std::string& body, std::int64_t timestamp = 1000,
                     const std::string& more = {}) {
  return R"({"envelope":{"source":"+15550100002","sourceNumber":"+15550100002",)"
         R"("sourceUuid":"22222222-2222-4222-8222-222222222222","sourceName":"Bob","sourceDevice":1,)"
         R"("timestamp":)" +
         std::to_string(timestamp) + R"(,"serverReceivedTimestamp":1005,)" + more +
         R"("serverDeliveredTimestamp":1010)" + (body.empty() ? "" : "," + body) +
         R"(},"account":"+15550100001"})";
}

std::string data_of(const std::string& more) {
  return R"("dataMessage":{"timestamp":1000,"message":"x")" + (more.empty() ? "" : "," + more) +
         "}";
}

core::Identity identity_of(const std::string& json) { return parse_frame(json, 1).identity; }

std::vector<std::pair<std::string, std::string>> recorded_frames() {
  std::ifstream file{HOLDFAST_UPSTREAM_DATA "/frames.tsv"};
  std::vector<std::pair<std::string, std::string>> frames;
  for (std::string line; std::getline(file, line);) {
    const auto tab = line.find('\t');
    frames.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  }
  return frames;
}

TEST(Envelope, KnowsTheKindOfEveryRecordedFrameAndNamesEachDifferently) {
  const auto frames = recorded_frames();
  ASSERT_EQ(frames.size(), 27u);
  std::set<core::Identity> identities;
  for (const auto& [kind, json] : frames) {
    const ParsedFrame frame = parse_frame(json, 1);
    EXPECT_EQ(core::to_string(frame.kind), kind) << json;
    EXPECT_EQ(frame.account, "+15550100001");
    EXPECT_NE(frame.timestamp, 0);
    EXPECT_TRUE(identities.insert(frame.identity).second) << json;
  }
}

TEST(Envelope, NamesARedeliveredFrameTheSame) {
  for (const auto& [kind, json] : recorded_frames()) {
    if (json.find(R"("source":null)") != std::string::npos) continue;
    std::string again = json;
    const std::string key = "\"serverDeliveredTimestamp\":";
    const auto at = again.find(key);
    if (at == std::string::npos) continue;
    again[at + key.size() + 12] = again[at + key.size() + 12] == '9' ? '0' : '9';
    const auto name = again.find("\"sourceName\":\"");
    if (name != std::string::npos) again.insert(name + 14, "New ");
    ASSERT_NE(again, json);
    EXPECT_EQ(identity_of(again), identity_of(json)) << kind;
  }
}

TEST(Envelope, ReadsTheFieldsThatTheGatewayNeeds) {
  const ParsedFrame frame = parse_frame(frame_of(data_of("")), 1);
  EXPECT_EQ(frame.kind, FrameKind::data);
  EXPECT_EQ(frame.timestamp, 1000);
  EXPECT_EQ(frame.server_received_ms, 1005);
  EXPECT_EQ(frame.sender, "22222222-2222-4222-8222-222222222222");
  EXPECT_EQ(frame.sender_number, "+15550100002");
  EXPECT_EQ(frame.account, "+15550100001");
  EXPECT_FALSE(frame.ephemeral);
}

TEST(Envelope, FallsBackFromAciToNumberToSource) {
  const auto named_by = [](const std::string& source) {
    return parse_frame(R"({"envelope":{)" + source +
                           R"("sourceDevice":1,"timestamp":5,"dataMessage":{}},"account":"+1555"})",
                       1);
  };
  const ParsedFrame by_number =
      named_by(R"("source":"x","sourceNumber":"+15550100002","sourceUuid":null,)");
  EXPECT_EQ(by_number.sender, "+15550100002");
  const ParsedFrame by_source = named_by(R"("source":"+15550100002",)");
  EXPECT_EQ(by_source.sender, "+15550100002");
  EXPECT_EQ(by_source.identity, by_number.identity) << "the name is the same, wherever it stood";
}

TEST(Envelope, KeepsTheNameWhenTheNumberBecomesKnownLater) {
  const std::string json = frame_of(data_of(""));
  std::string hidden = json;
  const std::string number = R"("sourceNumber":"+15550100002")";
  hidden.replace(hidden.find(number), number.size(), R"("sourceNumber":null)");
  const std::string source = R"("source":"+15550100002")";
  hidden.replace(hidden.find(source), source.size(),
                 R"("source":"22222222-2222-4222-8222-222222222222")");
  EXPECT_EQ(identity_of(hidden), identity_of(json));
}

struct Difference {
  const char* what;
  std::string one;
  std::string other;
};

TEST(Envelope, TellsApartWhatDiffersInOneFieldOfTheName) {
  const std::string reaction =
      R"("reaction":{"emoji":"a","targetAuthorUuid":"u","targetSentTimestamp":7,"isRemove":false})";
  const auto reacted = [&](const std::string& from, const std::string& to) {
    std::string changed = reaction;
    changed.replace(changed.find(from), from.size(), to);
    return frame_of(data_of(changed));
  };
  const auto receipt = [](const std::string& flags, const std::string& timestamps) {
    return frame_of(R"("receiptMessage":{"when":1000,)" + flags + R"(,"timestamps":[)" +
                    timestamps + "]}");
  };
  const std::string delivery = R"("isDelivery":true,"isRead":false)";
  const std::string read = R"("isDelivery":false,"isRead":true)";
  const auto sync_sent = [](const std::string& to) {
    return frame_of(R"("syncMessage":{"sentMessage":{)" + to +
                    R"("timestamp":900,"message":"x"}})");
  };
  const std::string plain = frame_of(data_of(""));
  std::string device = plain;
  device.replace(device.find(R"("sourceDevice":1)"), 16, R"("sourceDevice":2)");
  std::string account = plain;
  account.replace(account.rfind("0001"), 4, "0003");

  const std::vector<Difference> differences{
      {"the account", plain, account},
      {"the device", plain, device},
      {"the timestamp", plain, frame_of(data_of(""), 1001)},
      {"the group", plain, frame_of(data_of(R"("groupInfo":{"groupId":"g"})"))},
      {"a reaction and a message", plain, frame_of(data_of(reaction))},
      {"the emoji", frame_of(data_of(reaction)), reacted(R"("a")", R"("b")")},
      {"the target", frame_of(data_of(reaction)), reacted(":7", ":8")},
      {"the target's author", frame_of(data_of(reaction)), reacted(R"("u")", R"("v")")},
      {"a reaction and its removal", frame_of(data_of(reaction)), reacted("false", "true")},
      {"the deleted message", frame_of(data_of(R"("remoteDelete":{"timestamp":1})")),
       frame_of(data_of(R"("remoteDelete":{"timestamp":2})"))},
      {"the edited message",
       frame_of(R"("editMessage":{"targetSentTimestamp":1,"dataMessage":{"timestamp":1000}})"),
       frame_of(R"("editMessage":{"targetSentTimestamp":2,"dataMessage":{"timestamp":1000}})")},
      {"an edit's own timestamp",
       frame_of(R"("editMessage":{"targetSentTimestamp":1,"dataMessage":{"timestamp":1000}})"),
       frame_of(R"("editMessage":{"targetSentTimestamp":1,"dataMessage":{"timestamp":1001}})")},
      {"the receipt's type", receipt(delivery, "1,2"), receipt(read, "1,2")},
      {"the receipted messages", receipt(delivery, "1,2"), receipt(delivery, "1,3")},
      {"typing and stopping", frame_of(R"("typingMessage":{"action":"STARTED"})"),
       frame_of(R"("typingMessage":{"action":"STOPPED"})")},
      {"a sync's destination", sync_sent(R"("destinationUuid":"u",)"),
       sync_sent(R"("destinationUuid":"v",)")},
      {"a sync's group", sync_sent(R"("groupInfo":{"groupId":"g"},)"),
       sync_sent(R"("groupInfo":{"groupId":"h"},)")},
      {"a sync's content", frame_of(R"("syncMessage":{"readMessages":[{"timestamp":1}]})"),
       frame_of(R"("syncMessage":{"readMessages":[{"timestamp":2}]})")},
      {"a call's content", frame_of(R"("callMessage":{"iceUpdateMessages":[{"id":1}]})"),
       frame_of(R"("callMessage":{"iceUpdateMessages":[{"id":2}]})")},
      {"a story's group", frame_of(R"("storyMessage":{"groupId":"g"})"),
       frame_of(R"("storyMessage":{"groupId":"h"})")},
      {"a broken message and its good copy",
       R"({"exception":{"type":"E"},)" + frame_of("").substr(1), frame_of(data_of(""))},
  };
  for (const Difference& difference : differences) {
    ASSERT_NE(parse_frame(difference.one, 1).kind, FrameKind::malformed) << difference.one;
    ASSERT_NE(parse_frame(difference.other, 1).kind, FrameKind::malformed) << difference.other;
    EXPECT_NE(identity_of(difference.one), identity_of(difference.other)) << difference.what;
  }
}

TEST(Envelope, ReceiptsOfTheSameMessagesAreOneWhateverTheirOrder) {
  const auto receipt = [](const std::string& timestamps) {
    return frame_of(R"("receiptMessage":{"isDelivery":true,"timestamps":[)" + timestamps + "]}");
  };
  EXPECT_EQ(identity_of(receipt("1,2,3")), identity_of(receipt("3,1,2")));
}

TEST(Envelope, NoSenderCanMoveABorderBetweenTwoFields) {
  const auto reaction = [](const std::string& author, const std::string& emoji) {
    return frame_of(data_of(R"("reaction":{"emoji":")" + emoji + R"(","targetAuthorUuid":")" +
                            author + R"(","isRemove":false})"));
  };
  EXPECT_NE(identity_of(reaction("ab", "c")), identity_of(reaction("a", "bc")));
  EXPECT_NE(identity_of(reaction("a|", "b")), identity_of(reaction("a", "|b")));
}

TEST(Envelope, TakesTheTimestampOfASentMessageFromItsTranscript) {
  const ParsedFrame frame = parse_frame(
      frame_of(
          R"("syncMessage":{"sentMessage":{"destinationUuid":"u","destinationNumber":"+15550100002",)"
          R"("timestamp":900,"message":"x"}})"),
      1);
  EXPECT_EQ(frame.kind, FrameKind::sync);
  EXPECT_EQ(frame.timestamp, 900);
  ASSERT_TRUE(frame.transcript);
  EXPECT_EQ(frame.transcript->timestamp, 900);
  EXPECT_EQ(frame.transcript->uuid, "u");
  EXPECT_EQ(frame.transcript->number, "+15550100002");
}

TEST(Envelope, ReadsTheTranscriptOfAnEditThatAnotherDeviceSent) {
  const ParsedFrame frame = parse_frame(
      frame_of(
          R"("syncMessage":{"sentMessage":{"destinationUuid":"u","editMessage":{)"
          R"("targetSentTimestamp":1,"dataMessage":{"timestamp":901,"groupInfo":{"groupId":"g"}}}}})"),
      1);
  ASSERT_TRUE(frame.transcript);
  EXPECT_EQ(frame.transcript->timestamp, 901);
  EXPECT_EQ(frame.transcript->group, "g");
}

TEST(Envelope, ReadsWhichMessagesAReceiptIsFor) {
  const ParsedFrame frame =
      parse_frame(frame_of(R"("receiptMessage":{"isDelivery":true,"timestamps":[5,3,"x",4]})"), 1);
  EXPECT_EQ(frame.receipts, (std::vector<std::int64_t>{3, 4, 5}));
}

TEST(Envelope, TypingIsEphemeral) {
  EXPECT_TRUE(parse_frame(frame_of(R"("typingMessage":{"action":"STARTED"})"), 1).ephemeral);
  EXPECT_FALSE(parse_frame(frame_of(R"("receiptMessage":{})"), 1).ephemeral);
}

TEST(Envelope, ASecondTryOfABrokenMessageIsAnotherEvent) {
  const std::string exception = R"({"exception":{"type":"E","message":"m"},)";
  const std::string broken = exception + frame_of("").substr(1);
  std::string later = broken;
  later.replace(later.find("1005"), 4, "2005");
  EXPECT_NE(identity_of(broken), identity_of(later));
  EXPECT_EQ(parse_frame(broken, 1).kind, FrameKind::exception);
}

TEST(Envelope, ABodyBesideAnExceptionDecidesTheKind) {
  const std::string json = R"({"exception":{"type":"E"},)" + frame_of(data_of("")).substr(1);
  EXPECT_EQ(parse_frame(json, 1).kind, FrameKind::data);
}

TEST(Envelope, FramesWithoutSourceAreNamedByTheirBytes) {
  const std::string json =
      R"({"envelope":{"source":null,"sourceUuid":null,"timestamp":5,"serverReceivedTimestamp":6},)"
      R"("exception":{"type":"E"},"account":"+15550100001"})";
  const ParsedFrame frame = parse_frame(json, 1);
  EXPECT_EQ(frame.kind, FrameKind::exception);
  EXPECT_EQ(frame.sender, "");
  EXPECT_EQ(identity_of(json), parse_frame(json, 2).identity);
  std::string other = json;
  other.replace(other.find("\"E\""), 3, "\"F\"");
  EXPECT_NE(identity_of(json), identity_of(other));
}

TEST(Envelope, FramesWithoutTimestampAreNamedByTheirBytes) {
  const std::string json = R"({"envelope":{"source":"a","dataMessage":{"message":"x"}}})";
  const std::string other = R"({"envelope":{"source":"a","dataMessage":{"message":"y"}}})";
  EXPECT_EQ(parse_frame(json, 1).kind, FrameKind::data);
  EXPECT_NE(identity_of(json), identity_of(other));
}

TEST(Envelope, WhatIsNoFrameIsMalformed) {
  std::string deep = R"({"envelope":{"x":)";
  deep.append(64, '[').append(64, ']').append("}}");
  std::string deep_enough = R"({"envelope":{"source":"a","timestamp":1,"x":)";
  deep_enough.append(60, '[').append(60, ']').append("}}");
  const std::vector<std::string> texts{"",
                                       " ",
                                       "null",
                                       "5",
                                       "[]",
                                       "{}",
                                       "{\"envelope\":1}",
                                       "{\"envelope\":[]}",
                                       "{\"envelope\":{}",
                                       "{\"envelope\":{}} x",
                                       "not json",
                                       "{\"envelope\":{\"a\":\"\xff\"}}",
                                       std::string("{\"envelope\":{\"a\":\"\0\"}}", 22),
                                       deep};
  for (const std::string& text : texts) {
    const ParsedFrame frame = parse_frame(text, 1);
    EXPECT_EQ(frame.kind, FrameKind::malformed) << text;
    EXPECT_FALSE(frame.ephemeral);
    EXPECT_EQ(frame.timestamp, 0);
  }
  EXPECT_NE(parse_frame(deep_enough, 1).kind, FrameKind::malformed);
}

TEST(Envelope, EqualMalformedBytesAreTwoEvents) {
  EXPECT_NE(parse_frame("x", 1).identity, parse_frame("x", 2).identity);
  EXPECT_NE(parse_frame("x", 1).identity, parse_frame("y", 1).identity);
}

TEST(Envelope, SerialsOfTwoRunsDoNotMeet) {
  FrameSerials one;
  FrameSerials other;
  const auto first = one.next();
  EXPECT_EQ(one.next(), first + 1);
  EXPECT_NE(other.next(), first);
}

TEST(Envelope, ReadsAnythingWithoutThrowing) {
  const auto frames = recorded_frames();
  std::mt19937 random{99};
  const std::string alphabet = "{}[]\",:\\ n0-e.\x01\xff";
  std::map<FrameKind, int> kinds;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = frames[random() % frames.size()].second;
    const auto changes = random() % 4;
    for (unsigned i = 0; i < changes; ++i) {
      text[random() % text.size()] = alphabet[random() % alphabet.size()];
    }
    if (random() % 8 == 0) text.resize(random() % text.size());
    ++kinds[parse_frame(text, 1).kind];
  }
  EXPECT_GT(kinds[FrameKind::malformed], 1'000);
  EXPECT_GT(kinds[FrameKind::data], 1'000);
}

TEST(Envelope, KeepsTheBytesOfAFrame) {
  const std::string json = frame_of(data_of(""));
  const core::Frame frame = make_frame(json, 1, 12345);
  EXPECT_EQ(*frame.bytes, json);
  EXPECT_EQ(frame.received_at_ms, 12345);
  EXPECT_EQ(frame.kind, FrameKind::data);
  EXPECT_EQ(frame.identity, identity_of(json));
  EXPECT_EQ(frame.server_received_ms, 1005);
  EXPECT_EQ(frame.seq, 0u);
}

}  // namespace
}  // namespace holdfast::upstream
