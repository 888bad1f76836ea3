#include "scenario.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <sstream>
#include <stdexcept>

namespace holdfast::scenarios {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& line, char by) {
  Words words;
  std::istringstream stream{line};
  for (std::string word; std::getline(stream, word, by);)
    if (!word.empty()) words.push_back(word);
  return words;
}

core::Duration duration(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [unit, ec] = std::from_chars(text.data(), end, value);
  const std::string name{unit, end};
  if (ec == std::errc{} && name == "ms") return core::Duration{value};
  if (ec == std::errc{} && name == "s") return core::Duration{value * 1'000};
  if (ec == std::errc{} && name == "min") return core::Duration{value * 60'000};
  if (ec == std::errc{} && name == "d") return core::Duration{value * 86'400'000};
  throw std::invalid_argument{"not a duration: " + text};
}

/// The value of `name=…` among the words, or `otherwise`.
std::string option(const Words& words, const std::string& name, const std::string& otherwise = "") {
  for (const std::string& word : words)
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  return otherwise;
}

core::Frame frame(const Words& words, core::Now now) {
  core::Frame frame;
  const std::string& id = words.at(1);
  std::copy_n(id.begin(), std::min(id.size(), frame.identity.size()), frame.identity.begin());
  frame.kind = core::FrameKind::data;
  for (const core::FrameKind kind : {core::FrameKind::typing, core::FrameKind::malformed})
    if (words.back() == core::to_string(kind)) frame.kind = kind;
  if (const std::string age = option(words, "age"); !age.empty())
    frame.server_received_ms = now.wall_ms - duration(age).count();
  const std::size_t size = std::stoul(option(words, "size", "0"));
  frame.bytes = std::make_shared<std::string>(id + std::string(size, '.'));
  return frame;
}

core::Reason reason(const std::string& name) {
  for (int value = 0; value <= static_cast<int>(core::Reason::stopped); ++value)
    if (core::to_string(static_cast<core::Reason>(value)) == name)
      return static_cast<core::Reason>(value);
  throw std::invalid_argument{"not a reason: " + name};
}

core::SendOutcome outcome(const Words& words) {
  using Kind = core::SendOutcome::Kind;
  core::SendOutcome outcome;
  const std::string& kind = words.at(2);
  outcome.why = "the bridge said so";
  if (kind == "sent") {
    outcome.kind = Kind::sent;
    outcome.timestamp = std::stoll(words.at(3));
    outcome.why.clear();
  } else if (kind == "failed") {
    outcome.kind = Kind::failed;
    outcome.status = 400;
  } else if (kind == "not_sent") {
    outcome.kind = Kind::not_sent;
  } else if (kind == "limited") {
    outcome.kind = Kind::rate_limited;
    if (const std::string after = option(words, "after"); !after.empty())
      outcome.retry_after = duration(after);
    outcome.challenge_token = option(words, "token");
  } else if (kind != "ambiguous") {
    throw std::invalid_argument{"not an outcome: " + kind};
  }
  return outcome;
}

std::string time_text(std::int64_t at_ms) {
  return "+" + std::to_string(at_ms - 1'700'000'000'000) + " ms";
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

World::World() {
  options_.jitter = core::JitterKind::none;
  options_.accounts = {{"+15550001111", true}};
}
World::~World() = default;

void World::begin() {
  gateway_ = std::make_unique<core::Gateway>(options_, 7);
  generation_ = 0;
  clients_.clear();
  const auto recovered = store_->recover();
  gateway_->start(*recovered, now_);
}

void World::advance(core::Duration by) {
  const core::Now until{now_.steady + by, now_.wall_ms + by.count()};
  for (int steps = 0;; ++steps) {
    if (steps > 100'000) throw std::runtime_error{"time does not advance"};
    const auto due = gateway_->deadline();
    if (!due || *due > until.steady) break;
    const core::Duration step = std::max(core::Duration{0}, *due - now_.steady);
    now_ = {now_.steady + step, now_.wall_ms + step.count()};
    gateway_->tick(now_);
    settle();
  }
  now_ = until;
}

/// Carries out what the gateway wants, with the disk if it is on.
void World::settle() {
  for (bool more = true; more;) {
    more = false;
    for (core::Effect& effect : gateway_->take_effects()) {
      more = true;
      show(effect);
      if (auto* commit = std::get_if<core::Commit>(&effect)) {
        store_->commit(std::move(commit->batch),
                       [this, ticket = commit->ticket](Result<core::Applied> result) {
                         gateway_->committed(ticket, result, now_);
                       });
      } else if (const auto* read = std::get_if<core::ReadFrames>(&effect)) {
        store::FrameQuery query;
        query.account = gateway_->account(read->link);
        query.after = read->after;
        query.count_max = read->count_max;
        query.bytes_max = read->bytes_max;
        store_->read_frames(
            query, [this, link = read->link, client = read->client](Result<store::FramePage> page) {
              gateway_->page(link, client, page->frames, page->read_up_to, now_);
            });
      }
    }
    if (disk_on_ && (store_->sync() > 0 || store_->step_read())) more = true;
  }
}

void World::show(const core::Effect& effect) {
  const auto client_name = [&](core::ClientId id) {
    for (const auto& [name, client] : clients_)
      if (client == id) return name;
    return std::string{"?"};
  };
  std::visit(
      Overloaded{
          [&](const core::Dial& e) {
            generation_ = e.generation;
            say("dial " + std::to_string(e.generation) + (e.repeat_refused ? ", patiently" : ""));
          },
          [&](const core::HangUp& e) { say("hang up " + std::to_string(e.generation)); },
          [&](const core::Identify& e) { say("identify " + std::to_string(e.generation)); },
          [&](const core::Subscribe& e) { say("subscribe " + std::to_string(e.generation)); },
          [&](const core::PauseReceive& e) { say("pause " + std::to_string(e.generation)); },
          [&](const core::ResumeReceive& e) { say("resume " + std::to_string(e.generation)); },
          [&](const core::Probe& e) { say("probe " + std::to_string(e.generation)); },
          [&](const core::Transmit& e) {
            say("transmit " + std::to_string(e.entry.seq) + " to " + e.entry.recipient +
                ", attempt " + std::to_string(e.entry.attempts) +
                (e.entry.possible_duplicate ? ", possible duplicate" : ""));
          },
          [&](const core::Commit&) {
            if (!disk_on_) say("(waits for the disk)");
          },
          [&](const core::ReadFrames&) {},
          [&](const core::Deliver& e) {
            say("to " + client_name(e.client) + ": " + e.frame.bytes->substr(0, 8) +
                (e.frame.seq > 0 ? " (" + std::to_string(e.frame.seq) + ")" : " (ephemeral)"));
          },
          [&](const core::AskAck& e) {
            say("ask " + client_name(e.client) + " for " + std::to_string(e.seq));
          },
          [&](const core::Answer& e) {
            std::string text = "answer " + std::to_string(e.submission) + ": ";
            if (e.error) {
              say(text + to_string(e.error->code) + ", " + e.error->message);
              return;
            }
            text += e.kind == core::Answer::Kind::settled   ? "settled"
                    : e.kind == core::Answer::Kind::pending ? "pending"
                                                            : "known";
            for (const core::Entry& part : e.parts) {
              text += ", " + std::to_string(part.seq) + " " + core::to_string(part.state);
              if (part.timestamp != 0) text += " as " + std::to_string(part.timestamp);
            }
            say(text);
          },
          [&](const core::Transition& e) {
            std::string text{to_string(e.from)};
            text += " -> ";
            text += to_string(e.to);
            text += std::string{" ("} + core::to_string(e.reason) + ")";
            if (e.to == ConnectionState::reconnecting)
              text += ", attempt " + std::to_string(e.attempt_count) + " in " +
                      std::to_string(e.actual_delay.count()) + " ms";
            else
              text += ": " + e.evidence;
            say(text);
          },
          [&](const core::EntryChanged& e) {
            if (!e.from && e.entry.state == core::EntryState::queued) return;
            say("entry " + std::to_string(e.entry.seq) + " " +
                (e.from ? core::to_string(*e.from) : "new") + " -> " +
                core::to_string(e.entry.state) + (e.why.empty() ? "" : ": " + e.why));
          },
          [&](const core::Received& e) {
            say("stored " + std::to_string(e.frames) + ", duplicates " +
                std::to_string(e.duplicates));
          },
          [&](const core::Remark& e) { say("remark: " + e.text); },
      },
      effect);
}

std::vector<std::string> World::input(const std::string& line) {
  said_.clear();
  Words words = split(line, ' ');
  const std::string verb = words.at(0);
  const auto generation = [&](std::size_t at) {
    return words.size() > at && std::isdigit(words[at][0]) ? std::stoull(words[at]) : generation_;
  };
  if (verb == "option") {
    if (const auto rate = option(words, "rate"); rate == "unlimited")
      options_.outbox.pacing = RateLimiter::unlimited();
    if (const auto bound = option(words, "pending"); !bound.empty())
      options_.outbox.pending_max = std::stoul(bound);
    if (words.back() == "no-hints") options_.hints = false;
  } else if (verb == "start") {
    begin();
  } else if (verb == "crash") {
    store_->crash();
    begin();
  } else if (verb.starts_with('+')) {
    advance(duration(verb.substr(1)));
  } else if (verb == "disk") {
    disk_on_ = words.at(1) == "on" || words.at(1) == "full";
    store_->set_full(words.at(1) == "full");
  } else if (verb == "answered") {
    gateway_->answered(0, generation(1), "0.13.19", now_);
  } else if (verb == "identified") {
    gateway_->identified(0, generation(1), "", now_);
  } else if (verb == "subscribed") {
    gateway_->subscribed(0, generation(1), now_);
  } else if (verb == "up") {  // a bridge that answers everything at once, and has no backlog
    gateway_->answered(0, generation_, "0.13.19", now_);
    gateway_->identified(0, generation_, "", now_);
    gateway_->subscribed(0, generation_, now_);
    settle();
    advance(core::Duration{1'000});
  } else if (verb == "byte") {
    gateway_->activity(0, generation(1), now_);
  } else if (verb == "lost") {
    core::Failure failure{reason(words.at(2)), "the bridge is gone", {}};
    if (const auto after = option(words, "retry-after"); !after.empty())
      failure.retry_after = duration(after);
    gateway_->lost(0, generation(1), failure, now_);
  } else if (verb == "frame") {
    const std::string from = option(words, "on");
    gateway_->frame(0, from.empty() ? generation_ : std::stoull(from), frame(words, now_), now_);
  } else if (verb == "frames") {  // frames PREFIX FIRST LAST
    for (int i = std::stoi(words.at(2)); i <= std::stoi(words.at(3)); ++i) {
      Words one{"frame", words.at(1) + std::to_string(i)};
      one.insert(one.end(), words.begin() + 4, words.end());
      gateway_->frame(0, generation_, frame(one, now_), now_);
    }
  } else if (verb == "send") {  // send to R[,R] [wait=] [key=] [body=] [expires=]
    core::Submission submission;
    submission.id = ++submissions_;
    submission.account = gateway_->account(0);
    submission.recipients = split(words.at(2), ',');
    submission.body = option(words, "body", "hello");
    submission.wait = duration(option(words, "wait", "3s"));
    if (const auto key = option(words, "key"); !key.empty())
      submission.key = core::IdempotencyKey{key, submission.body};
    if (const auto expires = option(words, "expires"); !expires.empty())
      submission.expires_in = duration(expires);
    gateway_->submit(std::move(submission), now_);
  } else if (verb == "outcome") {
    gateway_->outcome(std::stoull(words.at(1)), outcome(words), now_);
  } else if (verb == "attach") {
    core::Window window;
    window.count_max = std::stoul(option(words, "window", "256"));
    window.bytes_max = std::stoul(option(words, "bytes", "1048576"));
    clients_[words.at(1)] = ++last_client_;
    gateway_->attach(0, last_client_, window);
  } else if (verb == "detach") {
    gateway_->detach(0, clients_.at(words.at(1)));
  } else if (verb == "ack") {
    gateway_->acknowledged(0, clients_.at(words.at(1)), std::stoull(words.at(2)));
  } else if (verb == "hint") {
    if (!gateway_->hint(0, "the socket appeared", now_)) say("(the hint changed nothing)");
  } else if (verb == "retry-now") {
    if (!gateway_->retry_now(0, now_)) say("(nothing waits)");
  } else if (verb == "drain") {
    gateway_->drain();
  } else if (verb == "stop") {
    gateway_->stop(now_);
  } else if (verb == "status") {
    const core::LinkStatus link = gateway_->link(0).status();
    const core::OutboxStatus outbox = gateway_->outbox(0);
    const core::Consumer& consumer = gateway_->consumer(0);
    say(std::string{to_string(link.state)} + (link.ready ? ", ready" : ", not ready") +
        (link.paused ? ", paused" : "") + "; cursor " + std::to_string(consumer.cursor()) +
        ", lag " + std::to_string(consumer.lag()) + "; queued " + std::to_string(outbox.queued) +
        ", sending " + std::to_string(outbox.sending) + ", unknown " +
        std::to_string(outbox.unknown) + ", held " + std::to_string(outbox.held) +
        (link.next_attempt_at_ms > 0 ? "; next attempt at " + time_text(link.next_attempt_at_ms)
                                     : ""));
  } else {
    throw std::invalid_argument{"unknown input: " + line};
  }
  if (gateway_) settle();
  if (verb == "status") {
    const store::AuditReport report = store_->audit();
    for (const std::string& problem : report.problems) say("audit: " + problem);
  }
  return said_;
}

}  // namespace holdfast::scenarios
