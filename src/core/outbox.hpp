/// The outbox: every send from "accepted" to its one terminal state (design §2, "the life of an
/// outbox entry"). FIFO per conversation, paced, durable before the first byte is written.
#pragma once

#include <array>
#include <core/commits.hpp>
#include <core/effects.hpp>
#include <core/jitter.hpp>
#include <core/outcome.hpp>
#include <deque>
#include <holdfast/rate_limiter.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace holdfast::core {

struct OutboxOptions {
  RateLimiter::Options pacing{};
  std::size_t pending_max = 100'000;  ///< entries that are not terminal; more: queue_full
  std::uint64_t pending_bytes_max = 1ull << 30;  ///< of their bodies; more: queue_full
  std::size_t in_flight_max = 16;                ///< calls under way per link
  Duration expires_in{7 * 24 * 3'600'000};       ///< unless the caller says otherwise
  Duration evidence_within{15'000};              ///< how long `unknown` waits for evidence
};

/// A call that wants something sent.
struct Submission {
  SubmissionId id = 0;
  LinkId link = 0;
  std::string account;
  std::vector<std::string> recipients;  ///< one entry each, under one send
  Operation operation = Operation::send;
  std::string body;  ///< JSON in signal-cli-rest-api's shape
  std::optional<IdempotencyKey> key;
  Duration wait{};  ///< how long its caller waits for the outcome; 0: not at all
  std::optional<Duration> expires_in;
};

/// What the status says about one link's part of the outbox.
struct OutboxStatus {
  std::size_t queued = 0, sending = 0, unknown = 0, held = 0;
  std::uint64_t bytes = 0;
  std::int64_t oldest_ms = 0;        ///< creation of the oldest pending entry; 0: none
  std::int64_t frozen_until_ms = 0;  ///< Signal asked us to wait until then; 0: it did not
  std::string challenge_token;       ///< proof is required
};

class Outbox {
 public:
  Outbox(OutboxOptions options, std::size_t links, Rng& rng, Effects& effects, Commits& commits);

  /// At the start: what was pending. An entry found in `sending` is `unknown` now.
  void recover(LinkId link, std::vector<Entry> pending, Now now);

  void submit(Submission submission, Now now);
  /// Its caller has gone; the send stays.
  void forget(SubmissionId submission);

  /// What came of `Transmit`.
  void outcome(Seq entry, const SendOutcome& outcome, Now now);

  /// The link's abilities, as the gateway sees them after each event.
  void set_link(LinkId link, bool may_send, bool ready, bool receiving, Now now);
  [[nodiscard]] bool has_unknown(LinkId link) const;

  void tick(Now now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  [[nodiscard]] OutboxStatus status(LinkId link) const;
  /// Nothing is being transmitted.
  [[nodiscard]] bool quiet() const noexcept;
  /// No new call upstream from here on.
  void stop() noexcept { stopped_ = true; }

 private:
  struct Live {
    LinkId link = 0;
    Entry entry;
    TimePoint ready_at{};   ///< not before (backoff, pacing)
    TimePoint settle_by{};  ///< `unknown`: the policy applies then
    TimePoint expires_at{};
    std::uint32_t failures = 0;  ///< "not sent" in a row
    bool busy = false;           ///< a commit about it is under way
    bool offered = false;        ///< it is in its lane's `heads`
    int status = 0;              ///< HTTP status of a definite failure
  };
  /// One conversation, oldest first. Terminal and `held` entries are not in it.
  using Line = std::deque<Seq>;
  /// One link's share.
  struct Lane {
    explicit Lane(const RateLimiter::Options& pacing) : limiter{pacing} {}
    RateLimiter limiter;
    std::map<std::string, Line, std::less<>> lines;
    std::set<std::pair<TimePoint, Seq>> heads;  ///< queued heads by when they may go
    std::optional<TimePoint> wake;              ///< when the next head may go
    std::set<Seq> unknown;
    std::array<std::size_t, 8> count{};  ///< entries by state
    std::uint64_t bytes = 0;             ///< of their bodies
    std::size_t in_flight = 0;
    bool may_send = false, ready = false, receiving = false;
    std::int64_t last_provisional = 0;
    std::uint32_t undeclared_limits = 0;  ///< rate limits without a time, in a row
    std::int64_t frozen_until_ms = 0;
    std::string challenge_token;
  };
  struct Wanted {  ///< a change whose commit failed; tried again
    Entry entry;
    std::string why;
  };
  struct Watched {  ///< a send that somebody waits for
    std::vector<Entry> parts;
    int status = 0;
    std::vector<SubmissionId> callers;
  };

  void accepted(const Submission& submission, std::vector<Entry> entries,
                const Result<Applied>& result, Now now);
  [[nodiscard]] bool goes_at_once(const Submission& submission, Seq first, Now now) const;
  void watch(Seq first, std::vector<Entry> parts, SubmissionId submission, TimePoint until);
  Watched* note(const Entry& entry);
  [[nodiscard]] bool nobody_waits_until(const Watched& watched, TimePoint at) const;
  void answer(Seq first, Answer::Kind kind);

  void adopt(LinkId link, Entry entry, Now now);
  void offer_head(Lane& lane, const std::string& recipient);
  void withdraw(Lane& lane, Live& live);
  void leave_line(Lane& lane, Live& live);
  void pump(LinkId link, Now now);
  void dispatch(Live& live, Now now);

  /// Makes `to` durable, then visible; tried again every second while the store refuses.
  void change(Live& live, EntryState to, std::string why, Now now);
  void write(Seq seq, Wanted wanted, Now now);
  void changed(Live& live, EntryState from, const std::string& why, Now now);
  void recount(Lane& lane, const Entry& entry, EntryState from);
  void become_unknown(Lane& lane, Live& live, Now now);
  void rate_limited(Live& live, const SendOutcome& outcome, Now now);

  OutboxOptions options_;
  Rng& rng_;
  Effects& effects_;
  Commits& commits_;
  Jitter jitter_{JitterKind::equal};
  std::vector<Lane> lanes_;
  std::map<Seq, Live> live_;
  std::set<std::pair<TimePoint, Seq>> expiries_;
  std::set<std::pair<TimePoint, Seq>> settlements_;  ///< `unknown` ones by `settle_by`
  std::set<std::pair<TimePoint, Seq>> retries_;      ///< of changes whose commit failed
  std::map<Seq, Wanted> wanted_;
  std::map<Seq, Watched> watched_;
  std::set<std::pair<TimePoint, SubmissionId>> patience_;
  std::map<SubmissionId, std::pair<Seq, TimePoint>> callers_;
  std::size_t accepting_ = 0;  ///< entries whose first commit is under way
  std::uint64_t bytes_ = 0;    ///< of bodies, pending or being accepted
  bool stopped_ = false;
};

}  // namespace holdfast::core
