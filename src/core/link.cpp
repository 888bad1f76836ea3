#include <algorithm>
#include <core/assert.hpp>
#include <core/link.hpp>
#include <utility>

namespace holdfast::core {

const char* to_string(Phase phase) noexcept {
  switch (phase) {
    case Phase::none:
      return "none";
    case Phase::identify:
      return "identify";
    case Phase::subscribe:
      return "subscribe";
    case Phase::catch_up:
      return "catch-up";
    case Phase::reconcile:
      return "reconcile";
    case Phase::sessions:
      return "sessions";
  }
  return "none";
}

Link::Link(LinkId id, LinkOptions options, Rng& rng, Effects& effects)
    : id_{id}, options_{options}, rng_{rng}, effects_{effects}, schedule_{options.jitter} {}

bool Link::is_current(Generation generation) const noexcept {
  return !stopped_ && generation == generation_;
}

bool Link::connected() const noexcept {
  return state() == ConnectionState::connected || state() == ConnectionState::syncing;
}

bool Link::ready() const noexcept {
  return state() == ConnectionState::connected && synchronised_ && !paused_;
}

bool Link::may_send() const noexcept { return connected() && phase_ != Phase::identify; }

bool Link::waiting() const noexcept {
  return !stopped_ && state() == ConnectionState::reconnecting && !dialing_;
}

bool Link::receiving() const noexcept { return connected() && subscribed_ && !paused_; }

// --- Connecting ---------------------------------------------------------------------------------

void Link::start(Now now) {
  HF_ASSERT(stopped_);
  stopped_ = false;
  told_.since_ms = now.wall_ms;
  told_.evidence = "Holdfast started";
  schedule(true, now);
  tick(now);
}

void Link::stop(Now now) {
  if (stopped_) return;
  if (dialing_ || open_) effects_.push_back(HangUp{id_, generation_});
  if (older_) effects_.push_back(HangUp{id_, *older_});
  older_.reset();
  if (connected()) {
    open_ = false;
    move_to(ConnectionState::disconnected, Reason::stopped, "Holdfast is stopping", now);
  }
  stopped_ = true;
  dialing_ = open_ = false;
}

void Link::move_to(ConnectionState to, Reason reason, std::string evidence, Now now) {
  const ConnectionState from = manager_.state();
  const bool valid = manager_.transition(to);
  HF_ASSERT(valid);
  told_.since_ms = now.wall_ms;
  told_.reason = reason;
  told_.evidence = evidence;
  Transition transition{.link = id_,
                        .from = from,
                        .to = to,
                        .at_ms = now.wall_ms,
                        .reason = reason,
                        .evidence = std::move(evidence),
                        .attempt_count = manager_.attempt_count()};
  if (to == ConnectionState::reconnecting) {
    transition.nominal_delay = told_.nominal_delay;
    transition.actual_delay = told_.actual_delay;
    transition.next_attempt_at_ms = told_.next_attempt_at_ms;
  }
  effects_.push_back(std::move(transition));
}

void Link::schedule(bool first_of_process, Now now) {
  const std::uint32_t attempt =
      manager_.attempt_count() == UINT32_MAX ? UINT32_MAX : manager_.attempt_count() + 1;
  schedule_.plan(attempt, first_of_process, rng_, now.steady);
  hint_.clear();
  const Duration wait = schedule_.current().actual;
  told_.nominal_delay = schedule_.current().nominal;
  told_.actual_delay = wait;
  told_.next_attempt_at_ms = now.wall_ms + wait.count();
  std::string evidence = told_.evidence;
  move_to(ConnectionState::reconnecting, first_of_process ? Reason::started : Reason::scheduled,
          std::move(evidence), now);
}

void Link::dial(Now now) {
  HF_ASSERT(!dialing_);
  dialing_ = true;
  open_ = false;
  ++generation_;
  answer_by_ = now.steady + answer_within;
  told_.next_attempt_at_ms = 0;
  effects_.push_back(Dial{id_, generation_, schedule_.hinted() && options_.local_bridge});
}

bool Link::hint(const std::string& evidence, Now now) {
  if (!options_.hints || !waiting() || !schedule_.automatic_hint(now.steady)) return false;
  hint_ = evidence;
  told_.next_attempt_at_ms =
      now.wall_ms + std::max(Duration::zero(), schedule_.due() - now.steady).count();
  tick(now);
  return true;
}

bool Link::retry_now(Now now) {
  if (!waiting()) return false;
  schedule_.retry_now(now.steady);
  hint_ = "a person asked for an attempt now";
  tick(now);
  return true;
}

void Link::answered(Generation generation, std::string bridge_version, Now now) {
  if (!is_current(generation) || !dialing_) return;
  if (now.steady > answer_by_) {
    tick(now);  // too late: a failed attempt
    return;
  }
  dialing_ = false;
  open_ = true;
  subscribed_ = false;
  synchronised_ = false;
  told_.bridge_version = std::move(bridge_version);
  told_.note.clear();
  schedule_.connected(now.steady);
  liveness_ = Liveness{now.steady};
  std::string evidence = "attempt " + std::to_string(manager_.attempt_count()) + " was answered";
  if (!hint_.empty()) evidence += " (not waited for: " + hint_ + ")";
  hint_.clear();
  move_to(ConnectionState::connected, Reason::answered, std::move(evidence), now);
  move_to(ConnectionState::syncing, Reason::answered, "session synchronisation starts", now);
  enter(Phase::identify, now);
}

void Link::lost(Generation generation, Failure failure, Now now) {
  if (older_ == generation) {
    older_.reset();
    return;
  }
  if (!is_current(generation) || (!dialing_ && !open_)) return;
  open_ = false;
  drop(std::move(failure), now);
}

/// The newest connection is of no use: to DISCONNECTED, which is left at once.
void Link::drop(Failure failure, Now now) {
  schedule_.disconnected(now.steady);
  dialing_ = false;
  phase_ = Phase::none;
  subscribe_at_.reset();
  synchronised_ = false;
  if (failure.retry_after) schedule_.retry_after(*failure.retry_after, now.steady);
  move_to(ConnectionState::disconnected, failure.reason, std::move(failure.evidence), now);
  schedule(false, now);
}

// --- SYNCING ------------------------------------------------------------------------------------

void Link::enter(Phase phase, Now now) {
  phase_ = phase;
  phase_started_ = now.steady;
  switch (phase) {
    case Phase::identify:
      phase_due_ = now.steady + identify_within;
      effects_.push_back(Identify{id_, generation_});
      break;
    case Phase::subscribe:
      phase_due_ = now.steady + subscribe_within;
      if (paused_) {
        retire(generation_);
        enter(Phase::catch_up, now);
        return;
      }
      subscribe_at_ = now.steady + (ever_subscribed_ ? Duration::zero() : first_subscribe_after);
      subscribe_when_due(now);
      break;
    case Phase::catch_up:
      phase_due_ = now.steady + catch_up_within;
      last_frame_ = now.steady;
      phase_frames_ = 0;
      break;
    case Phase::reconcile:
      phase_due_ = now.steady + reconcile_within;
      if (!unsettled_) {
        enter(Phase::sessions, now);
        return;
      }
      break;
    case Phase::sessions:
      synchronised_ = true;
      phase_ = Phase::none;
      move_to(ConnectionState::connected, Reason::synchronised,
              "synchronisation is complete: " + std::to_string(phase_frames_) +
                  (phase_frames_ == 1 ? " frame" : " frames") + " came during catch-up",
              now);
      return;
    case Phase::none:
      return;
  }
  told_.phase_deadline_ms = now.wall_ms + (phase_due_ - now.steady).count();
}

void Link::subscribe_when_due(Now now) {
  if (!subscribe_at_ || *subscribe_at_ > now.steady) return;
  subscribe_at_.reset();
  effects_.push_back(Subscribe{id_, generation_});
}

void Link::identified(Generation generation, std::string note, Now now) {
  if (!is_current(generation) || phase_ != Phase::identify) return;
  told_.note = std::move(note);
  if (!told_.note.empty()) effects_.push_back(Remark{id_, now.wall_ms, told_.note});
  enter(Phase::subscribe, now);
}

void Link::subscribed(Generation generation, Now now) {
  if (!is_current(generation) || !connected()) return;
  subscribed_ = ever_subscribed_ = true;
  subscribe_at_.reset();
  retire(generation);
  if (phase_ == Phase::subscribe) enter(Phase::catch_up, now);
}

/// The overlap is over: `generation` receives, so the one before it may go.
void Link::retire(Generation generation) {
  if (older_ && *older_ != generation) {
    effects_.push_back(HangUp{id_, *older_});
    older_.reset();
  }
}

void Link::frame(Generation generation, std::optional<std::int64_t> server_received_ms, Now now) {
  activity(generation, now);
  if (!is_current(generation) || phase_ != Phase::catch_up) return;
  ++phase_frames_;
  last_frame_ = now.steady;
  if (server_received_ms && now.wall_ms - *server_received_ms < live_within_ms)
    enter(Phase::reconcile, now);
}

void Link::set_unsettled(bool unsettled, Now now) {
  unsettled_ = unsettled;
  if (!unsettled && phase_ == Phase::reconcile) enter(Phase::sessions, now);
}

void Link::phase_overdue(Now now) {
  if (phase_ != Phase::catch_up)
    effects_.push_back(Remark{id_, now.wall_ms,
                              std::string{"synchronisation goes on without '"} + to_string(phase_) +
                                  "', which is past its deadline"});
  switch (phase_) {
    case Phase::identify:
      enter(Phase::subscribe, now);
      return;
    case Phase::subscribe:
      enter(Phase::catch_up, now);
      return;
    case Phase::catch_up:
      enter(Phase::reconcile, now);
      return;
    case Phase::reconcile:
      enter(Phase::sessions, now);
      return;
    case Phase::sessions:
    case Phase::none:
      return;
  }
}

// --- Health -------------------------------------------------------------------------------------

void Link::activity(Generation generation, Now now) {
  if (is_current(generation) && open_) liveness_.activity(now.steady);
}

void Link::send_health(bool ok, std::string evidence) {
  told_.send_ok = ok;
  told_.send_known = true;
  told_.send_evidence = std::move(evidence);
}

void Link::pause(std::string evidence, Now now) {
  if (paused_) return;
  paused_ = true;
  effects_.push_back(Remark{id_, now.wall_ms, "receiving is paused: " + evidence});
  told_.note = "receiving is paused: " + std::move(evidence);
  if (connected() && subscribed_) effects_.push_back(PauseReceive{id_, generation_});
}

void Link::resume(Now now) {
  if (!paused_) return;
  paused_ = false;
  told_.note.clear();
  effects_.push_back(Remark{id_, now.wall_ms, "receiving goes on"});
  if (!connected()) return;
  if (subscribed_)
    effects_.push_back(ResumeReceive{id_, generation_});
  else if (phase_ != Phase::identify)
    effects_.push_back(Subscribe{id_, generation_});
}

// --- Time ---------------------------------------------------------------------------------------

void Link::tick(Now now) {
  if (stopped_) return;
  if (waiting() && now.steady >= schedule_.due()) {
    dial(now);
    return;
  }
  if (dialing_ && now.steady >= answer_by_) {
    effects_.push_back(HangUp{id_, generation_});
    drop(Failure{Reason::timed_out, "the bridge did not answer within 10 s", {}}, now);
    return;
  }
  if (!connected()) return;
  switch (liveness_.check(now.steady)) {
    case Liveness::Verdict::alive:
      break;
    case Liveness::Verdict::probe:
      effects_.push_back(Probe{id_, generation_});
      break;
    case Liveness::Verdict::dead:
      // The silent connection stays until its successor has subscribed: should it revive, what it
      // brings is stored. One such is enough.
      if (older_) effects_.push_back(HangUp{id_, *older_});
      older_ = generation_;
      open_ = false;
      drop(
          Failure{Reason::silent, "no byte came for 18 s, though the bridge was asked for one", {}},
          now);
      return;
  }
  subscribe_when_due(now);
  if (phase_ == Phase::catch_up && now.steady >= last_frame_ + catch_up_quiet)
    enter(Phase::reconcile, now);
  else if (phase_ != Phase::none && now.steady >= phase_due_)
    phase_overdue(now);
}

std::optional<TimePoint> Link::deadline() const {
  if (stopped_) return {};
  if (waiting()) return schedule_.due();
  if (dialing_) return answer_by_;
  if (!connected()) return {};
  TimePoint due = liveness_.deadline();
  if (subscribe_at_) due = std::min(due, *subscribe_at_);
  if (phase_ == Phase::catch_up) due = std::min(due, last_frame_ + catch_up_quiet);
  if (phase_ != Phase::none) due = std::min(due, phase_due_);
  return due;
}

LinkStatus Link::status() const {
  LinkStatus status = told_;
  status.state = state();
  status.attempt_count = manager_.attempt_count();
  status.ready = ready();
  status.phase = phase_;
  status.phase_frames = phase_frames_;
  status.paused = paused_;
  if (!waiting()) status.next_attempt_at_ms = 0;
  return status;
}

}  // namespace holdfast::core
