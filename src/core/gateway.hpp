/// Every decision of the gateway in one place: links, intake, consumers and the outbox. Fed by the
/// driver in production and by the simulator in virtual time; it cannot tell which.
#pragma once

#include <core/consumer.hpp>
#include <core/link.hpp>
#include <core/outbox.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::core {

struct AccountOptions {
  std::string account;
  bool local_bridge = false;
};

struct GatewayOptions {
  std::vector<AccountOptions> accounts;
  JitterKind jitter = JitterKind::equal;
  bool hints = true;
  OutboxOptions outbox{};
  std::size_t intake_frames_max = 512;           ///< frames in one commit
  std::uint64_t intake_bytes_max = 16ull << 20;  ///< waiting for the disk; above it reading stops
};

/// What came in for one account since the start of the process.
struct IntakeStatus {
  std::uint64_t frames = 0, duplicates = 0, ephemeral = 0, malformed = 0;
  std::size_t waiting = 0;  ///< for the disk
  Seq last_seq = 0;
};

/// Frames on their way to the disk: one commit at a time, so that order survives a failed one.
class Intake {
 public:
  Intake(LinkId link, std::string account, const GatewayOptions& options, Consumer& consumer,
         Link& owner, Effects& effects, Commits& commits);
  void frame(Frame frame, Now now);
  void tick(Now now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;
  [[nodiscard]] const IntakeStatus& status() const noexcept { return status_; }
  [[nodiscard]] bool idle() const noexcept { return waiting_.empty() && !committing_; }

 private:
  void commit();
  void committed(std::size_t frames, std::uint64_t ephemeral, const Result<Applied>& result,
                 Now now);
  void govern(Now now);

  LinkId link_;
  std::string account_;
  std::size_t frames_max_;
  std::uint64_t bytes_max_;
  Consumer& consumer_;
  Link& owner_;
  Effects& effects_;
  Commits& commits_;
  std::deque<Frame> waiting_;
  std::uint64_t bytes_ = 0;
  std::uint64_t ephemeral_ = 0;  ///< not yet counted durably
  std::optional<TimePoint> count_by_;
  std::optional<TimePoint> again_at_;
  std::string problem_;
  bool committing_ = false;
  IntakeStatus status_;
};

class Gateway {
 public:
  Gateway(GatewayOptions options, std::uint64_t seed);

  /// Begins with what the store recovered.
  void start(const Recovered& recovered, Now now);
  /// No new work: submissions are refused and nothing new is transmitted. `quiet()` says when every
  /// call upstream has its outcome.
  void drain();
  [[nodiscard]] bool quiet() const { return outbox_.quiet(); }
  /// Links hang up. `settled()` says when everything is durable.
  void stop(Now now);
  [[nodiscard]] bool settled() const;

  // The bridge.
  void answered(LinkId link, Generation generation, std::string bridge_version, Now now);
  void identified(LinkId link, Generation generation, std::string note, Now now);
  void subscribed(LinkId link, Generation generation, Now now);
  void activity(LinkId link, Generation generation, Now now);
  void frame(LinkId link, Generation generation, Frame frame, Now now);
  void lost(LinkId link, Generation generation, Failure failure, Now now);
  void send_health(LinkId link, bool ok, std::string evidence);
  void outcome(Seq entry, const SendOutcome& outcome, Now now);

  // The store.
  void committed(Ticket ticket, const Result<Applied>& result, Now now);
  void page(LinkId link, ClientId client, const std::vector<Frame>& frames, Seq read_up_to,
            Now now);
  void page_failed(LinkId link, ClientId client, Now now);

  // Callers.
  void submit(Submission submission, Now now);
  void forget(SubmissionId submission);
  void attach(LinkId link, ClientId client, Window window);
  void detach(LinkId link, ClientId client);
  void acknowledged(LinkId link, ClientId client, Seq seq);

  // People and evidence.
  bool hint(LinkId link, const std::string& evidence, Now now);
  bool retry_now(LinkId link, Now now);

  void tick(Now now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;
  /// What is to be done since the last call, in order.
  [[nodiscard]] Effects take_effects();

  [[nodiscard]] std::optional<LinkId> find(std::string_view account) const;
  [[nodiscard]] std::size_t links() const noexcept { return accounts_.size(); }
  [[nodiscard]] const std::string& account(LinkId link) const { return accounts_.at(link)->name; }
  [[nodiscard]] const Link& link(LinkId link) const { return accounts_.at(link)->link; }
  [[nodiscard]] const Consumer& consumer(LinkId link) const { return accounts_.at(link)->consumer; }
  [[nodiscard]] const IntakeStatus& intake(LinkId link) const {
    return accounts_.at(link)->intake.status();
  }
  [[nodiscard]] OutboxStatus outbox(LinkId link) const { return outbox_.status(link); }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  struct Account {
    Account(LinkId id, const AccountOptions& account, const GatewayOptions& options,
            const AccountRecord& record, Rng& rng, Effects& effects, Commits& commits);
    std::string name;
    Link link;
    Consumer consumer;
    Intake intake;
  };

  /// The outbox follows the link after every event that may have moved it.
  void follow(LinkId link, Now now);

  GatewayOptions options_;
  Rng rng_;
  Effects effects_;
  Commits commits_{effects_};
  Outbox outbox_;
  std::vector<std::unique_ptr<Account>> accounts_;
  std::uint64_t epoch_ = 0;
};

}  // namespace holdfast::core
