#include <algorithm>
#include <core/assert.hpp>
#include <core/gateway.hpp>
#include <utility>

namespace holdfast::core {
namespace {

constexpr Duration intake_again_after{1'000};
constexpr Duration count_ephemeral_within{5'000};
constexpr std::uint64_t intake_commit_bytes_max = 4ull << 20;

void consider(std::optional<TimePoint>& first, const std::optional<TimePoint>& at) {
  if (at) first = first ? std::min(*first, *at) : *at;
}

}  // namespace

// --- Intake -------------------------------------------------------------------------------------

Intake::Intake(LinkId link, std::string account, const GatewayOptions& options, Consumer& consumer,
               Link& owner, Effects& effects, Commits& commits)
    : link_{link},
      account_{std::move(account)},
      frames_max_{options.intake_frames_max},
      bytes_max_{options.intake_bytes_max},
      consumer_{consumer},
      owner_{owner},
      effects_{effects},
      commits_{commits} {
  status_.last_seq = consumer.last_seq();
}

void Intake::frame(Frame frame, Now now) {
  if (frame.kind == FrameKind::typing) {
    ++status_.ephemeral;
    ++ephemeral_;
    if (!count_by_) count_by_ = now.steady + count_ephemeral_within;
    consumer_.ephemeral(frame);
    return;
  }
  if (frame.kind == FrameKind::malformed) ++status_.malformed;
  frame.received_at_ms = now.wall_ms;
  bytes_ += frame.bytes->size();
  waiting_.push_back(std::move(frame));
  status_.waiting = waiting_.size();
  if (!committing_ && !again_at_) commit();
  govern(now);
}

void Intake::commit() {
  HF_ASSERT(!committing_);
  Batch batch;
  std::size_t frames = 0;
  std::uint64_t bytes = 0;
  for (const Frame& frame : waiting_) {
    if (frames == frames_max_ ||
        (frames > 0 && bytes + frame.bytes->size() > intake_commit_bytes_max))
      break;
    bytes += frame.bytes->size();
    ++frames;
    batch.changes.push_back(AppendFrame{account_, frame});
  }
  const std::uint64_t ephemeral = ephemeral_;
  if (ephemeral > 0) batch.changes.push_back(CountEphemeral{account_, ephemeral});
  if (batch.changes.empty()) return;
  committing_ = true;
  count_by_.reset();
  commits_.submit(link_, std::move(batch),
                  [this, frames, ephemeral](const Result<Applied>& result, Now now) {
                    committed(frames, ephemeral, result, now);
                  });
}

void Intake::committed(std::size_t frames, std::uint64_t ephemeral, const Result<Applied>& result,
                       Now now) {
  committing_ = false;
  if (!result) {
    // Nothing was applied: the frames stay here, in order, until the disk takes them.
    problem_ = result.error().message;
    again_at_ = now.steady + intake_again_after;
    govern(now);
    return;
  }
  problem_.clear();
  ephemeral_ -= ephemeral;
  HF_ASSERT(result->frame_seqs.size() == frames);
  std::vector<Frame> durable;
  std::size_t duplicates = 0;
  for (const Seq seq : result->frame_seqs) {
    Frame frame = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_ -= frame.bytes->size();
    if (seq == 0) {
      ++duplicates;
      continue;
    }
    frame.seq = seq;
    durable.push_back(std::move(frame));
  }
  status_.frames += durable.size();
  status_.duplicates += duplicates;
  status_.waiting = waiting_.size();
  if (!durable.empty()) status_.last_seq = durable.back().seq;
  if (frames > 0) effects_.push_back(Received{link_, durable.size(), duplicates, status_.last_seq});
  consumer_.appended(durable, now);
  if (!waiting_.empty()) commit();
  govern(now);
}

/// G9: backpressure instead of loss.
void Intake::govern(Now now) {
  if (!problem_.empty())
    owner_.pause(problem_, now);
  else if (bytes_ > bytes_max_)
    owner_.pause(
        "the disk is slower than the bridge: " + std::to_string(bytes_) + " bytes wait for it",
        now);
  else if (bytes_ <= bytes_max_ / 2)
    owner_.resume(now);
}

void Intake::tick(Now now) {
  const bool again = again_at_ && *again_at_ <= now.steady;
  const bool count = count_by_ && *count_by_ <= now.steady;
  if (again) again_at_.reset();
  if (count) count_by_.reset();
  if ((again || count) && !committing_ && !again_at_) commit();
}

std::optional<TimePoint> Intake::deadline() const {
  std::optional<TimePoint> first = again_at_;
  consider(first, count_by_);
  return first;
}

// --- Gateway ------------------------------------------------------------------------------------

Gateway::Account::Account(LinkId id, const AccountOptions& account, const GatewayOptions& options,
                          const AccountRecord& record, Rng& rng, Effects& effects, Commits& commits)
    : name{account.account},
      link{id, LinkOptions{options.jitter, options.hints, account.local_bridge}, rng, effects},
      consumer{id, account.account, record.cursor, record.last_seq, effects, commits},
      intake{id, account.account, options, consumer, link, effects, commits} {}

Gateway::Gateway(GatewayOptions options, std::uint64_t seed)
    : options_{std::move(options)},
      rng_{seed},
      outbox_{options_.outbox, options_.accounts.size(), rng_, effects_, commits_} {}

void Gateway::start(const Recovered& recovered, Now now) {
  epoch_ = recovered.epoch;
  for (LinkId id = 0; id < options_.accounts.size(); ++id) {
    const AccountOptions& account = options_.accounts[id];
    const auto known =
        std::ranges::find(recovered.accounts, account.account, &AccountRecord::account);
    const AccountRecord record = known == recovered.accounts.end() ? AccountRecord{} : *known;
    accounts_.push_back(
        std::make_unique<Account>(id, account, options_, record, rng_, effects_, commits_));
    std::vector<Entry> pending;
    std::ranges::copy_if(recovered.pending, std::back_inserter(pending),
                         [&](const Entry& entry) { return entry.account == account.account; });
    outbox_.recover(id, std::move(pending), now);
  }
  for (LinkId id = 0; id < accounts_.size(); ++id) {
    accounts_[id]->link.set_unsettled(outbox_.has_unknown(id), now);
    accounts_[id]->link.start(now);
  }
}

void Gateway::drain() { outbox_.stop(); }

void Gateway::stop(Now now) {
  drain();
  for (const auto& account : accounts_) account->link.stop(now);
}

bool Gateway::settled() const {
  return commits_.idle() && outbox_.quiet() &&
         std::ranges::all_of(accounts_, [](const auto& account) { return account->intake.idle(); });
}

void Gateway::follow(LinkId id, Now now) {
  Link& link = accounts_[id]->link;
  outbox_.set_link(id, link.may_send(), link.ready(), link.receiving(), now);
  link.set_unsettled(outbox_.has_unknown(id), now);
}

void Gateway::answered(LinkId link, Generation generation, std::string version, Now now) {
  accounts_.at(link)->link.answered(generation, std::move(version), now);
  follow(link, now);
}

void Gateway::identified(LinkId link, Generation generation, std::string note, Now now) {
  accounts_.at(link)->link.identified(generation, std::move(note), now);
  follow(link, now);
}

void Gateway::subscribed(LinkId link, Generation generation, Now now) {
  accounts_.at(link)->link.subscribed(generation, now);
  follow(link, now);
}

void Gateway::activity(LinkId link, Generation generation, Now now) {
  accounts_.at(link)->link.activity(generation, now);
}

void Gateway::frame(LinkId link, Generation generation, Frame frame, Now now) {
  Account& account = *accounts_.at(link);
  account.link.frame(generation, frame.server_received_ms, now);
  account.intake.frame(std::move(frame), now);
  follow(link, now);
}

void Gateway::lost(LinkId link, Generation generation, Failure failure, Now now) {
  accounts_.at(link)->link.lost(generation, std::move(failure), now);
  follow(link, now);
}

void Gateway::send_health(LinkId link, bool ok, std::string evidence) {
  accounts_.at(link)->link.send_health(ok, std::move(evidence));
}

void Gateway::outcome(Seq entry, const SendOutcome& outcome, Now now) {
  outbox_.outcome(entry, outcome, now);
}

void Gateway::committed(Ticket ticket, const Result<Applied>& result, Now now) {
  follow(commits_.done(ticket, result, now), now);
}

void Gateway::page(LinkId link, ClientId client, const std::vector<Frame>& frames, Seq read_up_to,
                   Now now) {
  accounts_.at(link)->consumer.page(client, frames, read_up_to, now);
}

void Gateway::page_failed(LinkId link, ClientId client, Now now) {
  accounts_.at(link)->consumer.page_failed(client, now);
}

void Gateway::submit(Submission submission, Now now) { outbox_.submit(std::move(submission), now); }
void Gateway::forget(SubmissionId submission) { outbox_.forget(submission); }

void Gateway::attach(LinkId link, ClientId client, Window window) {
  accounts_.at(link)->consumer.attach(client, window);
}

void Gateway::detach(LinkId link, ClientId client) { accounts_.at(link)->consumer.detach(client); }

void Gateway::acknowledged(LinkId link, ClientId client, Seq seq) {
  accounts_.at(link)->consumer.acknowledged(client, seq);
}

bool Gateway::hint(LinkId link, const std::string& evidence, Now now) {
  return accounts_.at(link)->link.hint(evidence, now);
}

bool Gateway::retry_now(LinkId link, Now now) { return accounts_.at(link)->link.retry_now(now); }

void Gateway::tick(Now now) {
  for (LinkId id = 0; id < accounts_.size(); ++id) {
    Account& account = *accounts_[id];
    account.link.tick(now);
    account.consumer.tick(now);
    account.intake.tick(now);
    follow(id, now);
  }
  outbox_.tick(now);
}

std::optional<TimePoint> Gateway::deadline() const {
  std::optional<TimePoint> first = outbox_.deadline();
  for (const auto& account : accounts_) {
    consider(first, account->link.deadline());
    consider(first, account->consumer.deadline());
    consider(first, account->intake.deadline());
  }
  return first;
}

Effects Gateway::take_effects() { return std::exchange(effects_, {}); }

std::optional<LinkId> Gateway::find(std::string_view account) const {
  for (LinkId id = 0; id < accounts_.size(); ++id)
    if (accounts_[id]->name == account) return id;
  return {};
}

}  // namespace holdfast::core
