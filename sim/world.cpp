#include "world.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <store/memory_store.hpp>
#include <utility>

#include "checkers.hpp"

namespace holdfast::sim {
namespace {

constexpr core::LinkId the_link = 0;
constexpr std::int64_t wall_start_ms = 1'700'000'000'000;
constexpr core::Duration settle_within{600'000};
constexpr int recipients = 5;

/// How likely what is, drawn per seed, so that seeds differ in character.
struct Rates {
  double drop, refuse, half_open, duplicate, crash, disk_error, ambiguous, not_sent, limited,
      failed, bot_crash, hint;
};

class World {
 public:
  explicit World(const Options& options)
      : options_{options}, rng_{options.seed}, report_{.seed = options.seed} {
    const auto rate = [&](double most) { return chance_value() * most; };
    rates_ = {rate(0.05), rate(0.6), rate(0.02), rate(0.2),  rate(0.004), rate(0.05),
              rate(0.2),  rate(0.2), rate(0.05), rate(0.05), rate(0.02),  rate(0.1)};
    gateway_options_.accounts = {{account_, true}};
    gateway_options_.outbox.pacing.account_rate_per_s = 20;
    gateway_options_.outbox.pacing.recipient_rate_per_s = 10;
  }

  Report run() {
    begin();
    live();
    while (now_ms_ < options_.faulty_for.count()) next();
    calm();
    const std::int64_t until = now_ms_ + settle_within.count();
    while (now_ms_ < until && !settled()) next();
    if (!settled()) findings_.add("not settled within the bound after the faults ended");
    inbound_.settled(gateway_->consumer(the_link).cursor());
    outbound_.settled();
    check_conservation(store_.audit(), findings_);
    report_.frames = inbound_.last();
    report_.sends = outbound_.entries().size();
    report_.findings = findings_.all();
    return std::move(report_);
  }

 private:
  using Action = std::function<void()>;
  struct Event {
    std::int64_t at_ms;
    std::uint64_t order;
    Action act;
    bool operator>(const Event& other) const {
      return std::tie(at_ms, order) > std::tie(other.at_ms, other.order);
    }
  };

  // --- Time and chance --------------------------------------------------------------------------

  [[nodiscard]] core::Now now() const {
    return {core::TimePoint{core::Duration{1'000'000 + now_ms_}}, wall_start_ms + now_ms_};
  }
  std::uint64_t below(std::uint64_t bound) { return rng_() % bound; }
  double chance_value() { return static_cast<double>(rng_() >> 11) * 0x1p-53; }
  bool chance(double probability) { return faulty_ && chance_value() < probability; }

  void after(std::int64_t ms, Action action) {
    events_.push(Event{now_ms_ + ms, ++order_, std::move(action)});
  }
  /// The same, for something of this life of the process or of this connection.
  void while_alive(std::int64_t ms, Action action) {
    after(ms, [this, life = life_, action = std::move(action)] {
      if (life == life_) action();
    });
  }

  void trace(const std::string& line) {
    ++report_.events;
    for (const char c : std::to_string(now_ms_) + " " + line + "\n") {
      report_.trace_hash ^= static_cast<unsigned char>(c);
      report_.trace_hash *= 1'099'511'628'211u;
    }
    if (options_.keep_trace) report_.trace.push_back(std::to_string(now_ms_) + " ms  " + line);
  }
  void fault(const std::string& line) {
    ++report_.faults;
    trace("FAULT " + line);
  }

  /// One step: the next event, or the gateway's own timer if it is earlier.
  void next() {
    const auto deadline = gateway_->deadline();
    const std::int64_t timer =
        deadline ? std::max(now_ms_, deadline->time_since_epoch().count() - 1'000'000) : INT64_MAX;
    if (!events_.empty() && events_.top().at_ms <= timer) {
      Event event = events_.top();
      events_.pop();
      now_ms_ = event.at_ms;
      event.act();
    } else if (timer != INT64_MAX) {
      now_ms_ = timer;
      gateway_->tick(now());
    }
    carry_out();
    if (chance(rates_.crash / 50)) crash();
  }

  // --- The process ------------------------------------------------------------------------------

  void begin() {
    ++life_;
    gateway_ = std::make_unique<core::Gateway>(gateway_options_, rng_());
    link_.restarted();
    const auto recovered = store_.recover();
    gateway_->start(*recovered, now());
    carry_out();
  }

  void crash() {
    fault("the process is killed");
    const std::size_t waiting = store_.batches_waiting();
    // A batch may have reached the disk although its completion was never heard: then it counts.
    syncing_ = false;
    batches_.clear();
    store_.crash(0);
    trace(std::to_string(waiting) + " batches are lost");
    connections_.clear();
    bots_.clear();
    inbound_.crashed();
    check_conservation(store_.audit(), findings_);
    begin();
    attach_later();
  }

  void carry_out() {
    for (core::Effects effects = gateway_->take_effects(); !effects.empty();
         effects = gateway_->take_effects())
      for (core::Effect& effect : effects) std::visit([this](auto& e) { handle(e); }, effect);
  }

  // --- The store --------------------------------------------------------------------------------

  void handle(core::Commit& commit) {
    batches_.push_back(commit.batch);
    const bool intake = std::holds_alternative<core::AppendFrame>(commit.batch.changes.front());
    trace("commit " + std::to_string(commit.ticket) + (intake ? " of frames" : ""));
    store_.commit(
        std::move(commit.batch), [this, ticket = commit.ticket](Result<core::Applied> result) {
          const core::Batch batch = std::move(batches_.front());
          batches_.pop_front();
          trace("commit " + std::to_string(ticket) + (result ? " is durable" : " failed"));
          if (result) observe(batch, *result);
          gateway_->committed(ticket, result, now());
          carry_out();
        });
    sync_later();
  }

  void observe(const core::Batch& batch, const core::Applied& applied) {
    std::size_t frame = 0;
    for (const core::Change& change : batch.changes) {
      outbound_.durable(change, applied);
      if (const auto* append = std::get_if<core::AppendFrame>(&change)) {
        const core::Seq seq = applied.frame_seqs.at(frame++);
        if (seq != 0) inbound_.durable(*append->frame.bytes, seq);
      }
    }
  }

  void sync_later() {
    if (std::exchange(syncing_, true)) return;
    while_alive(static_cast<std::int64_t>(below(6)), [this] {
      syncing_ = false;
      if (chance(rates_.disk_error)) {
        fault("the disk is full for a moment");
        store_.fail_next({Errc::store_full, "the disk is full"}, 1 + below(3));
      }
      store_.sync();
      if (store_.batches_waiting() > 0) sync_later();
    });
  }

  void handle(core::ReadFrames& read) {
    store::FrameQuery query;
    query.account = account_;
    query.after = read.after;
    query.count_max = read.count_max;
    query.bytes_max = read.bytes_max;
    store_.read_frames(query, [this, client = read.client](Result<store::FramePage> page) {
      gateway_->page(the_link, client, page->frames, page->read_up_to, now());
      carry_out();
    });
    while_alive(static_cast<std::int64_t>(below(4)), [this] { store_.step_read(); });
  }

  // --- The bridge -------------------------------------------------------------------------------

  struct Connection {
    bool subscribed = false;
    bool dead = false;  ///< half-open: nothing moves, nobody is told
  };

  void handle(core::Dial& dial) {
    trace("dial " + std::to_string(dial.generation));
    link_.dialed(now());
    const core::Generation generation = dial.generation;
    if (chance(rates_.refuse)) {
      fault("the bridge refuses");
      core::Failure failure{core::Reason::refused, "nobody listens", {}};
      if (chance(0.1))
        failure.retry_after = core::Duration{static_cast<std::int64_t>(below(30'000))};
      while_alive(
          1, [this, generation, failure] { gateway_->lost(the_link, generation, failure, now()); });
      return;
    }
    if (chance(0.05)) return fault("the bridge accepts and does not answer");
    connections_[generation] = {};
    while_alive(static_cast<std::int64_t>(1 + below(200)), [this, generation] {
      if (alive(generation)) gateway_->answered(the_link, generation, "0.13.19", now());
    });
  }

  [[nodiscard]] bool alive(core::Generation generation) const {
    const auto found = connections_.find(generation);
    return found != connections_.end() && !found->second.dead;
  }

  void handle(core::HangUp& e) { connections_.erase(e.generation); }
  void handle(core::Identify& e) {
    while_alive(static_cast<std::int64_t>(below(20)), [this, generation = e.generation] {
      if (alive(generation)) gateway_->identified(the_link, generation, "", now());
    });
  }
  void handle(core::Subscribe& e) {
    while_alive(static_cast<std::int64_t>(below(20)), [this, generation = e.generation] {
      if (!alive(generation)) return;
      connections_[generation].subscribed = true;
      gateway_->subscribed(the_link, generation, now());
      push();
    });
  }
  void handle(core::PauseReceive& e) {
    trace("receiving is paused");
    if (connections_.contains(e.generation)) connections_[e.generation].subscribed = false;
  }
  void handle(core::ResumeReceive& e) {
    trace("receiving goes on");
    if (connections_.contains(e.generation)) connections_[e.generation].subscribed = true;
    push();
  }
  void handle(core::Probe& e) {
    while_alive(2, [this, generation = e.generation] {
      if (alive(generation)) gateway_->activity(the_link, generation, now());
    });
  }

  /// Signal's queue flows into whatever is subscribed; with nobody there it waits on the server.
  void push() {
    while (!queue_.empty()) {
      std::vector<core::Generation> to;
      for (const auto& [generation, connection] : connections_)
        if (connection.subscribed && !connection.dead) to.push_back(generation);
      if (to.empty()) return;
      core::Frame frame = std::move(queue_.front());
      queue_.pop_front();
      for (const core::Generation generation : to) hand_over(generation, frame);
      if (chance(rates_.duplicate)) {
        fault("the bridge repeats a frame");
        hand_over(to.front(), frame);
      }
    }
  }

  void hand_over(core::Generation generation, const core::Frame& frame) {
    inbound_.arrived(*frame.bytes);
    gateway_->frame(the_link, generation, frame, now());
  }

  void message() {
    const std::string text = "m" + std::to_string(++messages_);
    core::Frame frame;
    std::copy(text.begin(), text.end(), frame.identity.begin());
    frame.kind = core::FrameKind::data;
    frame.server_received_ms = now().wall_ms;
    frame.bytes = std::make_shared<std::string>(text);
    queue_.push_back(std::move(frame));
    push();
  }

  void trouble() {
    if (connections_.empty()) return;
    const core::Generation newest = connections_.rbegin()->first;
    if (chance(rates_.half_open)) {
      fault("the connection goes half-open");
      connections_[newest].dead = true;
    } else if (chance(rates_.drop)) {
      fault("the connection drops");
      connections_.erase(newest);
      gateway_->lost(the_link, newest, {core::Reason::closed, "the peer closed", {}}, now());
    } else if (chance(rates_.hint)) {
      if (gateway_->hint(the_link, "the port listens", now())) link_.asked();
    }
  }

  void handle(core::Transmit& transmit) {
    const core::Entry entry = transmit.entry;
    trace("transmit " + std::to_string(entry.seq) + ", attempt " + std::to_string(entry.attempts));
    outbound_.transmitted(entry);
    core::SendOutcome outcome;
    using Kind = core::SendOutcome::Kind;
    bool reaches = false;
    if (connections_.empty() || chance(rates_.not_sent)) {
      outcome.kind = Kind::not_sent;
    } else if (chance(rates_.ambiguous)) {
      fault("the answer to a send is lost");
      outcome.kind = Kind::ambiguous;
      reaches = below(2) == 0;
    } else if (chance(rates_.limited)) {
      fault("a rate limit");
      outcome.kind = Kind::rate_limited;
      if (below(2) == 0)
        outcome.retry_after = core::Duration{static_cast<std::int64_t>(below(20'000))};
    } else if (chance(rates_.failed)) {
      outcome.kind = Kind::failed;
      outcome.status = 400;
    } else {
      outcome.kind = Kind::sent;
      outcome.timestamp = now().wall_ms;
      reaches = true;
    }
    outcome.why = "simulated";
    // It reaches its recipient whether or not the process lives to hear of it.
    const auto delay = static_cast<std::int64_t>(1 + below(300));
    if (reaches) outbound_.reached(entry);
    while_alive(delay,
                [this, seq = entry.seq, outcome] { gateway_->outcome(seq, outcome, now()); });
  }

  // --- Bots and callers -------------------------------------------------------------------------

  void attach_later() {
    while_alive(static_cast<std::int64_t>(below(faulty_ ? 20'000 : 100)), [this] {
      const core::ClientId client = ++clients_;
      bots_.insert(client);
      inbound_.attached(client);
      gateway_->attach(the_link, client, {.count_max = 1 + below(256), .bytes_max = 1 << 20});
      trace("bot " + std::to_string(client) + " attaches");
    });
  }

  void handle(core::Deliver& e) {
    if (!bots_.contains(e.client)) return;  // it died, and nobody noticed yet
    trace("bot " + std::to_string(e.client) + " gets " + *e.frame.bytes);
    inbound_.delivered(e.client, e.frame);
  }

  void handle(core::AskAck& e) {
    const core::ClientId client = e.client;
    if (!bots_.contains(client)) return;
    if (chance(rates_.bot_crash)) {
      fault("bot " + std::to_string(client) + " dies before it acknowledges");
      bots_.erase(client);
      inbound_.detached(client);
      while_alive(0, [this, client] { gateway_->detach(the_link, client); });
      attach_later();
      return;
    }
    while_alive(static_cast<std::int64_t>(below(faulty_ ? 2'000 : 5)), [this, client, seq = e.seq] {
      if (!bots_.contains(client)) return;
      inbound_.acknowledged(client, seq);
      gateway_->acknowledged(the_link, client, seq);
    });
  }

  void send() {
    core::Submission submission;
    submission.id = ++submissions_;
    submission.account = account_;
    for (std::uint64_t i = 0, parts = below(10) == 0 ? 3 : 1; i < parts; ++i)
      submission.recipients.push_back("+1555000" +
                                      std::to_string(2'000 + below(recipients) + i * 10));
    submission.body = "body " + std::to_string(below(20));
    submission.wait = core::Duration{static_cast<std::int64_t>(below(2) * 3'000)};
    if (below(4) == 0)
      submission.key = core::IdempotencyKey{"key " + std::to_string(below(40)), submission.body};
    gateway_->submit(std::move(submission), now());
  }

  void handle(core::Answer& answer) { outbound_.answered(answer); }
  void handle(core::Transition& transition) {
    trace(std::string{to_string(transition.from)} + " -> " + std::string{to_string(transition.to)} +
          ": " + transition.evidence);
    link_.moved(transition, now());
  }
  void handle(core::EntryChanged& changed) {
    trace("entry " + std::to_string(changed.entry.seq) + " is " +
          core::to_string(changed.entry.state));
  }
  void handle(core::Received&) {}
  void handle(core::Remark& remark) { trace("remark: " + remark.text); }

  // --- Phases -----------------------------------------------------------------------------------

  void repeat(std::int64_t every_ms, const std::function<void()>& action) {
    after(static_cast<std::int64_t>(below(static_cast<std::uint64_t>(every_ms) * 2)),
          [this, every_ms, action] {
            if (!faulty_) return;
            action();
            repeat(every_ms, action);
          });
  }

  void live() {
    attach_later();
    repeat(500, [this] { message(); });
    repeat(1'500, [this] { send(); });
    repeat(1'000, [this] { trouble(); });
  }

  void calm() {
    trace("the faults end");
    faulty_ = false;
    for (auto& [generation, connection] : std::map{connections_})
      if (connection.dead) {
        connections_.erase(generation);
        gateway_->lost(the_link, generation, {core::Reason::closed, "the peer closed", {}}, now());
      }
    if (bots_.empty()) attach_later();
    carry_out();
  }

  [[nodiscard]] bool settled() const {
    const core::OutboxStatus outbox = gateway_->outbox(the_link);
    return gateway_->link(the_link).ready() && queue_.empty() && gateway_->settled() &&
           gateway_->consumer(the_link).lag() == 0 &&
           outbox.queued + outbox.sending + outbox.unknown == 0;
  }

  Options options_;
  core::Rng rng_;
  Report report_;
  Findings findings_;
  InboundChecker inbound_{findings_};
  OutboundChecker outbound_{findings_};
  LinkChecker link_{findings_};
  Rates rates_{};
  core::GatewayOptions gateway_options_;
  const std::string account_ = "+15550001111";

  store::MemoryStore store_{42};
  std::unique_ptr<core::Gateway> gateway_;
  std::deque<core::Batch> batches_;  ///< submitted to the store, oldest first
  bool syncing_ = false;

  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::int64_t now_ms_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t life_ = 0;
  bool faulty_ = true;

  std::map<core::Generation, Connection> connections_;
  std::deque<core::Frame> queue_;  ///< on Signal's server
  std::uint64_t messages_ = 0;
  std::set<core::ClientId> bots_;
  core::ClientId clients_ = 0;
  core::SubmissionId submissions_ = 0;
};

}  // namespace

Report run(const Options& options) {
  World world{options};
  return world.run();
}

}  // namespace holdfast::sim
