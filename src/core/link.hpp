/// A link: one account on one bridge. Decides when to dial, what a failure means, what SYNCING is
/// doing, and when a connection is dead. Knows nothing of sockets.
#pragma once

#include <core/attempt_schedule.hpp>
#include <core/effects.hpp>
#include <core/jitter.hpp>
#include <core/liveness.hpp>
#include <deque>
#include <holdfast/reconnection_manager.hpp>
#include <optional>
#include <string>

namespace holdfast::core {

/// The phases of SYNCING, in order (design §6).
enum class Phase : std::uint8_t { none, identify, subscribe, catch_up, reconcile, sessions };
[[nodiscard]] const char* to_string(Phase phase) noexcept;

struct LinkOptions {
  JitterKind jitter = JitterKind::equal;
  bool hints = true;
  bool local_bridge = false;  ///< loopback or UNIX socket: hinted attempts repeat refused connects
};

/// One link's part of the status snapshot.
struct LinkStatus {
  ConnectionState state = ConnectionState::disconnected;
  std::int64_t since_ms = 0;
  Reason reason = Reason::started;
  std::string evidence;
  std::uint32_t attempt_count = 0;
  Duration nominal_delay{};
  Duration actual_delay{};
  std::int64_t next_attempt_at_ms = 0;  ///< 0: no attempt is waiting
  bool ready = false;
  Phase phase = Phase::none;
  std::int64_t phase_deadline_ms = 0;
  std::uint64_t phase_frames = 0;  ///< that came during catch-up
  bool paused = false;
  std::string note;  ///< something odd about the bridge, for people
  std::string bridge_version;
  bool send_ok = true;
  bool send_known = false;
  std::string send_evidence;
};

class Link {
 public:
  static constexpr Duration answer_within{10'000};  ///< connecting and answering together
  static constexpr Duration identify_within{10'000};
  static constexpr Duration subscribe_within{10'000};
  /// The first subscription of a process waits this long: signal-cli that still hands messages to
  /// the connection of a killed predecessor would receive on two threads and mix up their order.
  static constexpr Duration first_subscribe_after{500};
  static constexpr Duration catch_up_quiet{1'000};
  static constexpr Duration catch_up_within{10'000};
  static constexpr Duration reconcile_within{20'000};
  static constexpr std::int64_t live_within_ms = 5'000;  ///< a frame this young is live traffic

  Link(LinkId id, LinkOptions options, Rng& rng, Effects& effects);

  void start(Now now);
  /// Ends every connection and every wait.
  void stop(Now now);

  // What the bridge says. Events of an unknown or older generation change nothing here.
  void answered(Generation generation, std::string bridge_version, Now now);
  void identified(Generation generation, std::string note, Now now);
  void subscribed(Generation generation, Now now);
  void activity(Generation generation, Now now);
  void frame(Generation generation, std::optional<std::int64_t> server_received_ms, Now now);
  void lost(Generation generation, Failure failure, Now now);
  void send_health(bool ok, std::string evidence);

  /// No entry of this link is `unknown` any more (or some are).
  void set_unsettled(bool unsettled, Now now);

  /// Evidence that waiting has become pointless. Returns whether the wait got shorter.
  bool hint(const std::string& evidence, Now now);
  /// A person asks for an attempt now. Returns false where none is waiting.
  bool retry_now(Now now);

  /// G9: stop or resume receiving; `evidence` says why.
  void pause(std::string evidence, Now now);
  void resume(Now now);

  void tick(Now now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  [[nodiscard]] ConnectionState state() const noexcept { return manager_.state(); }
  /// CONNECTED, synchronised, and receiving.
  [[nodiscard]] bool ready() const noexcept;
  /// From the end of `identify` on.
  [[nodiscard]] bool may_send() const noexcept;
  /// Waiting for an attempt (not making one).
  [[nodiscard]] bool waiting() const noexcept;
  /// Evidence can come in: subscribed, and not paused.
  [[nodiscard]] bool receiving() const noexcept;
  [[nodiscard]] LinkStatus status() const;

 private:
  void move_to(ConnectionState to, Reason reason, std::string evidence, Now now);
  void drop(Failure failure, Now now);
  void schedule(bool first_of_process, Now now);
  void dial(Now now);
  void enter(Phase phase, Now now);
  void phase_overdue(Now now);
  void subscribe_when_due(Now now);
  void retire(Generation generation);
  [[nodiscard]] bool is_current(Generation generation) const noexcept;
  [[nodiscard]] bool connected() const noexcept;

  LinkId id_;
  LinkOptions options_;
  Rng& rng_;
  Effects& effects_;

  ReconnectionManager manager_;
  AttemptSchedule schedule_;
  Liveness liveness_;

  Generation generation_ = 0;  ///< of the newest attempt
  bool stopped_ = true;
  bool dialing_ = false;
  bool open_ = false;                ///< the newest connection stands
  std::optional<Generation> older_;  ///< overlapped: may append until its successor subscribed
  TimePoint answer_by_{};
  std::string hint_;  ///< what ended the present wait

  Phase phase_ = Phase::none;
  TimePoint phase_started_{};
  TimePoint phase_due_{};
  std::optional<TimePoint> subscribe_at_;
  bool ever_subscribed_ = false;  ///< in this process
  TimePoint last_frame_{};
  std::uint64_t phase_frames_ = 0;
  bool synchronised_ = false;
  bool subscribed_ = false;
  bool unsettled_ = false;
  bool paused_ = false;

  LinkStatus told_;  ///< the parts of the status that only change with events
};

}  // namespace holdfast::core
