#include <gtest/gtest.h>

#include <api/event_queue.hpp>
#include <api/outbox_query.hpp>
#include <api/poll_batch.hpp>
#include <api/receive_ack.hpp>
#include <boost/json.hpp>
#include <limits>

namespace holdfast::api {
namespace {

core::Frame frame(core::Seq seq, std::string bytes) {
  core::Frame made;
  made.seq = seq;
  made.bytes = std::make_shared<const std::string>(std::move(bytes));
  return made;
}

TEST(PingPayload, ComesBackAsTheSequenceItAskedFor) {
  for (const core::Seq seq : {core::Seq{1}, core::Seq{42}, std::numeric_limits<core::Seq>::max()})
    EXPECT_EQ(acknowledged_by(ping_payload(seq)), seq);
}

TEST(PingPayload, IsTakenForNoAcknowledgementWhereItIsForeign) {
  EXPECT_EQ(ping_payload(0), "");
  for (const char* foreign :
       {"", "0", "01", "-1", "+1", " 1", "1 ", "1x", "ping", "18446744073709551616"})
    EXPECT_EQ(acknowledged_by(foreign), std::nullopt) << foreign;
}

TEST(PollRequest, HasTheBridgesDefaults) {
  const auto request = read_poll_request("", "");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->timeout, std::chrono::seconds{1});
  EXPECT_EQ(request->messages_max, PollRequest::frames_max);
  EXPECT_EQ(read_poll_request("0", "0")->messages_max, PollRequest::frames_max);
  EXPECT_EQ(read_poll_request("10", "3")->window().count_max, 3U);
}

TEST(PollRequest, RefusesWhatIsNoNumber) {
  for (const char* wrong : {"x", "1.5", "-1", "3601", "1s"})
    EXPECT_FALSE(read_poll_request(wrong, "")) << wrong;
  for (const char* wrong : {"x", "-1", "1,2"}) EXPECT_FALSE(read_poll_request("", wrong)) << wrong;
}

TEST(PollBatch, GivesTheFramesVerbatimInOrder) {
  PollBatch batch{core::Window{}};
  EXPECT_EQ(batch.json(), "[]");
  batch.add(frame(1, R"({"envelope": {}})"));
  batch.add(frame(3, R"({"b":1})"));
  batch.ask(3);
  EXPECT_TRUE(batch.covered());
  EXPECT_EQ(batch.json(), R"([{"envelope": {}},{"b":1}])");
}

TEST(PollBatch, GivesNothingThatCannotBeAcknowledgedYet) {
  PollBatch batch{core::Window{}};
  batch.add(frame(1, "{}"));
  batch.ask(1);
  batch.add(frame(2, R"({"later":1})"));
  EXPECT_FALSE(batch.covered());
  EXPECT_EQ(batch.json(), "[{}]");
}

TEST(PollBatch, LeavesTypingIndicatorsOut) {
  PollBatch batch{core::Window{}};
  batch.add(frame(0, "{}"));
  EXPECT_TRUE(batch.empty());
}

TEST(PollBatch, IsFullAtItsBounds) {
  PollBatch by_count{core::Window{2, 1'000}};
  by_count.add(frame(1, "{}"));
  EXPECT_FALSE(by_count.full());
  by_count.add(frame(2, "{}"));
  EXPECT_TRUE(by_count.full());
  PollBatch by_bytes{core::Window{100, 4}};
  by_bytes.add(frame(1, "{ }  "));
  EXPECT_TRUE(by_bytes.full());
}

gateway::Event event(std::uint64_t id, std::string json = "{}") {
  return gateway::Event{id, "transition", std::move(json)};
}

TEST(EventText, IsAServerSentEvent) {
  EXPECT_EQ(event_text(7, "entry", R"({"a":1})"), "id: 7\nevent: entry\ndata: {\"a\":1}\n\n");
  EXPECT_EQ(event_text(std::nullopt, "snapshot", "{}"), "event: snapshot\ndata: {}\n\n");
}

TEST(SeenBefore, CountsOnlyAnIdOfThisProcess) {
  EXPECT_EQ(seen_before("", 9), std::nullopt);
  EXPECT_EQ(seen_before("x", 9), std::nullopt);
  EXPECT_EQ(seen_before("7", 9), 7U);
  EXPECT_EQ(seen_before("10", 9), 0U) << "an earlier process gave it: everything is new";
}

TEST(EventQueue, GivesEverythingOnceInOrder) {
  EventQueue queue{4};
  queue.live();
  queue.add(event(5));
  queue.add(event(6));
  EXPECT_EQ(queue.take(), event_text(5, "transition", "{}") + event_text(6, "transition", "{}"));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.take(), "");
}

TEST(EventQueue, NamesTheGapBetweenWhatWasSeenAndWhatIsKept) {
  EventQueue queue{4};
  queue.add(event(9));
  queue.live();
  EXPECT_EQ(queue.take(),
            "event: gap\ndata: {\"from\":5,\"to\":8}\n\n" + event_text(9, "transition", "{}"));
  queue.add(event(10));
  EXPECT_EQ(queue.take(), event_text(10, "transition", "{}")) << "said once";
}

TEST(EventQueue, GivesAWatcherUpThatDoesNotKeepUp) {
  EventQueue by_count{0};
  by_count.live();
  for (std::uint64_t id = 1; id <= EventQueue::count_max; ++id) by_count.add(event(id));
  EXPECT_FALSE(by_count.overflowed());
  by_count.add(event(EventQueue::count_max + 1));
  EXPECT_TRUE(by_count.overflowed());

  EventQueue by_bytes{0};
  by_bytes.live();
  by_bytes.add(event(1, std::string(EventQueue::bytes_max, 'x')));
  EXPECT_TRUE(by_bytes.overflowed());
}

TEST(EventQueue, LeavesTheOldestOutWhereAReplayIsTooLong) {
  EventQueue queue{0};
  const std::string large(EventQueue::bytes_max / 4, 'x');
  for (std::uint64_t id = 1; id <= 8; ++id) queue.add(event(id, large));
  queue.live();
  EXPECT_FALSE(queue.overflowed()) << "who comes back after long would never get in";
  EXPECT_TRUE(queue.take().starts_with("event: gap\ndata: {\"from\":1,\"to\":5}\n\nid: 6\n"));
}

TEST(OutboxQuery, FindsStatesByName) {
  const auto query = read_outbox_query(1, {.state = "held", .account = "+15550100001"});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->state, core::EntryState::held);
  EXPECT_EQ(query->account, "+15550100001");
  EXPECT_EQ(query->count_max, 100U);
  EXPECT_FALSE(read_outbox_query(1, {.state = "lost"}));
}

TEST(OutboxQuery, PagesOnFromAnEntrysId) {
  core::Entry entry;
  entry.first_seq = 7;
  entry.seq = 8;
  entry.parts = 3;
  EXPECT_EQ(read_outbox_query(1, {.before = core::entry_id(1, entry)})->before, 8U);
  EXPECT_EQ(read_outbox_query(1, {.before = core::send_id(1, entry)})->before, 7U);
  EXPECT_FALSE(read_outbox_query(2, {.before = core::entry_id(1, entry)}));
  EXPECT_FALSE(read_outbox_query(1, {.before = "7"}));
}

TEST(OutboxQuery, BoundsAPage) {
  EXPECT_EQ(read_outbox_query(1, {.limit = "1000"})->count_max, 1'000U);
  for (const char* wrong : {"0", "1001", "-1", "x", "1x"})
    EXPECT_FALSE(read_outbox_query(1, {.limit = wrong})) << wrong;
}

}  // namespace
}  // namespace holdfast::api
