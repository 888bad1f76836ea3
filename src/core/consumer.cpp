#include <algorithm>
#include <core/assert.hpp>
#include <core/consumer.hpp>
#include <utility>

namespace holdfast::core {
namespace {
constexpr Duration again_after{1'000};
}

Consumer::Client::Client(Window window_limits)
    : window{MessageBufferOptions{.count_max = window_limits.count_max,
                                  .bytes_max = window_limits.bytes_max,
                                  .ttl = std::nullopt,
                                  .overflow = OverflowPolicy::reject,
                                  .allow_oversized_single = true}},
      limits{window_limits} {}

Consumer::Consumer(LinkId link, std::string account, Seq cursor, Seq last_seq, Effects& effects,
                   Commits& commits)
    : link_{link},
      account_{std::move(account)},
      cursor_{cursor},
      saved_{cursor},
      last_{last_seq},
      effects_{effects},
      commits_{commits} {}

void Consumer::attach(ClientId id, Window window) {
  const auto [it, fresh] = clients_.emplace(id, Client{window});
  HF_ASSERT(fresh);
  Client& client = it->second;
  client.next = cursor_ + 1;
  client.acked = client.asked = cursor_;
  pump(id, client);
}

void Consumer::detach(ClientId id) {
  if (clients_.erase(id) > 0) advance();
}

void Consumer::acknowledged(ClientId id, Seq seq) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (seq <= client.acked || seq > client.asked) return;
  client.acked = seq;
  client.full = false;
  while (client.window.front() != nullptr && *client.window.front() <= seq) client.window.pop();
  pump(id, client);
  advance();
}

/// Gives a frame if the window has room. Frames that could not be parsed are passed over: they
/// break clients that expect an envelope.
bool Consumer::give(ClientId id, Client& client, const Frame& frame, Now now) {
  HF_ASSERT(frame.seq >= client.next);
  if (frame.kind != FrameKind::malformed) {
    if (!client.window.push(frame.seq, frame.bytes->size(), now.steady).accepted) {
      client.full = true;
      return false;
    }
    effects_.push_back(Deliver{id, frame});
    if (client.unasked++ == 0) client.ask_by = now.steady + ask_after;
    if (client.unasked >= ask_after_frames) {
      client.next = frame.seq + 1;
      ask(id, client);
    }
  }
  client.next = frame.seq + 1;
  return true;
}

void Consumer::ask(ClientId id, Client& client) {
  client.asked = client.next - 1;
  client.unasked = 0;
  client.ask_by.reset();
  effects_.push_back(AskAck{id, client.asked});
}

/// After any change: read on where there is room, ask where nothing else will.
void Consumer::pump(ClientId id, Client& client) {
  const bool room = !client.full && client.window.size() < client.limits.count_max &&
                    client.window.bytes() < client.limits.bytes_max;
  if (client.next <= last_ && room && !client.reading && !client.read_again_at) {
    client.reading = true;
    effects_.push_back(ReadFrames{link_, id, client.next - 1,
                                  client.limits.count_max - client.window.size(),
                                  client.limits.bytes_max - client.window.bytes()});
  }
  const bool answered = client.acked == client.asked;
  if (client.unasked > 0 && !client.reading && (answered || !room)) ask(id, client);
  if (client.window.empty() && client.unasked == 0) client.acked = client.asked = client.next - 1;
}

void Consumer::appended(const std::vector<Frame>& frames, Now now) {
  if (frames.empty()) return;
  const Seq before = last_;
  last_ = frames.back().seq;
  for (auto& [id, client] : clients_) {
    // Who is caught up gets them from memory; the others will read them.
    if (!client.reading && client.next == before + 1)
      for (const Frame& frame : frames)
        if (!give(id, client, frame, now)) break;
    pump(id, client);
  }
  advance();
}

void Consumer::page(ClientId id, const std::vector<Frame>& frames, Seq read_up_to, Now now) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  client.reading = false;
  bool all = true;
  for (const Frame& frame : frames) {
    if (frame.seq < client.next) continue;
    if (!give(id, client, frame, now)) {
      all = false;
      break;
    }
  }
  if (all) client.next = std::max(client.next, read_up_to + 1);
  pump(id, client);
  advance();
}

void Consumer::page_failed(ClientId id, Now now) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  found->second.reading = false;
  found->second.read_again_at = now.steady + again_after;
}

void Consumer::ephemeral(const Frame& frame) {
  for (const auto& [id, client] : clients_)
    if (!client.reading && client.next == last_ + 1 &&
        client.window.size() < client.limits.count_max)
      effects_.push_back(Deliver{id, frame});
}

/// The cursor is the highest sequence that all attached clients have acknowledged.
void Consumer::advance() {
  if (clients_.empty()) return;
  const auto slowest =
      std::ranges::min_element(clients_, {}, [](const auto& item) { return item.second.acked; });
  if (slowest->second.acked <= cursor_) return;
  cursor_ = slowest->second.acked;
  save();
}

/// One cursor commit at a time: under load each carries what came during the one before.
void Consumer::save() {
  if (saving_ || save_again_at_ || saved_ == cursor_) return;
  saving_ = true;
  const Seq seq = cursor_;
  Batch batch = batch_of(PutCursor{account_, "", seq});
  commits_.submit(link_, std::move(batch), [this, seq](const Result<Applied>& result, Now then) {
    saving_ = false;
    if (result)
      saved_ = seq;
    else
      save_again_at_ = then.steady + again_after;
    save();
  });
}

void Consumer::tick(Now now) {
  if (save_again_at_ && *save_again_at_ <= now.steady) {
    save_again_at_.reset();
    save();
  }
  for (auto& [id, client] : clients_) {
    if (client.read_again_at && *client.read_again_at <= now.steady) {
      client.read_again_at.reset();
      pump(id, client);
    }
    if (client.ask_by && *client.ask_by <= now.steady) ask(id, client);
  }
}

std::optional<TimePoint> Consumer::deadline() const {
  std::optional<TimePoint> first = save_again_at_;
  const auto consider = [&](const std::optional<TimePoint>& at) {
    if (at) first = first ? std::min(*first, *at) : *at;
  };
  for (const auto& [id, client] : clients_) {
    consider(client.ask_by);
    consider(client.read_again_at);
  }
  return first;
}

}  // namespace holdfast::core
