#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <core/assert.hpp>
#include <gateway/daemon.hpp>
#include <gateway/hints.hpp>
#include <gateway/snapshot.hpp>
#include <map>
#include <random>
#include <set>
#include <utility>

namespace holdfast::gateway {
namespace {

constexpr std::size_t transitions_kept_max = 100;
constexpr std::chrono::milliseconds link_event_every{100};
constexpr std::chrono::milliseconds drain_within{2'500};
constexpr std::chrono::milliseconds settle_within{1'500};

core::TimePoint steady_now() {
  return std::chrono::time_point_cast<core::Duration>(std::chrono::steady_clock::now());
}

core::Now now() { return core::Now{steady_now(), wall_ms()}; }

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

core::GatewayOptions core_options(const Config& config) {
  core::GatewayOptions options;
  options.jitter = config.jitter;
  options.hints = config.hints;
  options.outbox.pacing = config.pacing;
  for (const Upstream& upstream : config.upstreams)
    for (const std::string& account : upstream.accounts)
      options.accounts.push_back({account, upstream.parsed.endpoint.is_local()});
  return options;
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

/// Waits for something that happens later on this thread; the value may come before the wait.
template <typename T>
struct Promise {
  explicit Promise(net::asio::io_context& io)
      : signal{io, std::chrono::steady_clock::time_point::max()} {}
  void set(T result) {
    value = std::move(result);
    signal.cancel();
  }
  net::asio::steady_timer signal;
  std::optional<T> value;
};

/// What was promised; `cancelled` where its caller is given up first.
template <typename T>
net::Task<Result<T>> value_of(std::shared_ptr<Promise<Result<T>>> promise) {
  if (!promise->value) co_await promise->signal.async_wait(net::as_result);
  if (!promise->value) co_return Error{Errc::cancelled, "the call was given up"};
  co_return std::move(*promise->value);
}

}  // namespace

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

struct Daemon::Impl {
  /// What one bridge tells, with the link it belongs to.
  struct Listener final : upstream::BridgeListener {
    Listener(Impl& impl, core::LinkId link_id) : daemon{impl}, link{link_id} {}
    void on_answered(core::Generation generation, std::string version) override {
      daemon.core.answered(link, generation, std::move(version), now());
      daemon.settle();
    }
    void on_lost(core::Generation generation, core::Failure failure) override {
      daemon.core.lost(link, generation, std::move(failure), now());
      daemon.settle();
    }
    void on_identified(core::Generation generation, std::string note) override {
      daemon.core.identified(link, generation, std::move(note), now());
      daemon.settle();
    }
    void on_subscribed(core::Generation generation) override {
      daemon.core.subscribed(link, generation, now());
      daemon.settle();
    }
    void on_frame(core::Generation generation, core::Frame frame) override {
      daemon.core.frame(link, generation, std::move(frame), now());
      daemon.settle();
    }
    void on_activity(core::Generation generation) override {
      daemon.core.activity(link, generation, now());
    }
    void on_send_health(bool ok, std::string evidence) override {
      daemon.core.send_health(link, ok, std::move(evidence));
      daemon.touch(link);
    }
    void on_outcome(core::Seq entry, core::SendOutcome outcome) override {
      daemon.core.outcome(entry, outcome, now());
      daemon.settle();
    }
    Impl& daemon;
    core::LinkId link;
  };

  Impl(net::asio::io_context& context, Config settings, std::unique_ptr<store::Store> opened,
       core::Recovered from, BridgeFactory factory)
      : io{context},
        config{std::move(settings)},
        store{std::move(opened)},
        recovered{std::move(from)},
        make_bridge{std::move(factory)},
        core{core_options(config), random_seed()},
        timer{io},
        link_events{io},
        hints{io, [this](std::uint32_t link, const std::string& evidence) {
                core.hint(link, evidence, now());
                settle();
              }} {}

  // --- Carrying out -----------------------------------------------------------------------------

  /// After any event: carries out what core wants, until it wants nothing more, and sets the timer.
  void settle() {
    if (settling) return;
    settling = true;
    for (core::Effects effects = core.take_effects(); !effects.empty();
         effects = core.take_effects())
      for (core::Effect& effect : effects) carry_out(effect);
    settling = false;
    arm();
  }

  void arm() {
    const std::optional<core::TimePoint> deadline = core.deadline();
    if (deadline == armed_for) return;
    armed_for = deadline;
    if (!deadline) {
      timer.cancel();
      return;
    }
    timer.expires_at(*deadline);
    timer.async_wait([this](const boost::system::error_code& ec) {
      if (ec) return;
      armed_for.reset();
      core.tick(now());
      settle();
    });
  }

  void carry_out(core::Effect& effect) {
    std::visit(
        Overloaded{
            [&](core::Dial& dial) {
              hints.attempt(dial.link, endpoints[dial.link]);
              bridges[dial.link]->dial(dial.generation, dial.repeat_refused);
            },
            [&](core::HangUp& e) { bridges[e.link]->hang_up(e.generation); },
            [&](core::Identify& e) { bridges[e.link]->identify(e.generation); },
            [&](core::Subscribe& e) { bridges[e.link]->subscribe(e.generation); },
            [&](core::PauseReceive& e) { bridges[e.link]->pause(e.generation); },
            [&](core::ResumeReceive& e) { bridges[e.link]->resume(e.generation); },
            [&](core::Probe& e) { bridges[e.link]->probe(e.generation); },
            [&](core::Transmit& transmit) { read_and_transmit(std::move(transmit)); },
            [&](core::Commit& commit) {
              store->commit(std::move(commit.batch),
                            [this, ticket = commit.ticket](Result<core::Applied> result) {
                              core.committed(ticket, result, now());
                              settle();
                            });
            },
            [&](core::ReadFrames& read) { read_frames(read); },
            [&](core::Deliver& deliver) {
              if (const auto client = clients.find(deliver.client); client != clients.end())
                client->second->deliver(deliver.frame);
            },
            [&](core::AskAck& ask) {
              if (const auto client = clients.find(ask.client); client != clients.end())
                client->second->ask_ack(ask.seq);
            },
            [&](core::Answer& answer) {
              if (const auto caller = callers.find(answer.submission); caller != callers.end())
                caller->second->set(std::move(answer));
            },
            [&](core::Transition& transition) { moved(std::move(transition)); },
            [&](core::EntryChanged& changed) {
              boost::json::object json = entry_json(core.epoch(), changed.entry);
              json["from"] = changed.from ? boost::json::value(core::to_string(*changed.from))
                                          : boost::json::value(nullptr);
              json["why"] = changed.why;
              events.publish("entry", boost::json::serialize(json));
              if (const auto link = core.find(changed.entry.account)) touch(*link);
            },
            [&](core::Received& received) {
              events.publish("received", boost::json::serialize(boost::json::object{
                                             {"account", core.account(received.link)},
                                             {"frames", received.frames},
                                             {"duplicates", received.duplicates},
                                             {"last_seq", received.last_seq}}));
              touch(received.link);
            },
            [&](core::Remark& remark) {
              events.publish("remark", boost::json::serialize(boost::json::object{
                                           {"account", core.account(remark.link)},
                                           {"at", remark.at_ms},
                                           {"text", remark.text}}));
              touch(remark.link);
            },
        },
        effect);
  }

  void moved(core::Transition transition) {
    const core::LinkId link = transition.link;
    if (transition.to == ConnectionState::reconnecting)
      hints.waiting(link, endpoints[link], last_failure[link] == core::Reason::refused);
    else
      hints.done(link);
    if (transition.to == ConnectionState::disconnected) last_failure[link] = transition.reason;
    events.publish("transition",
                   boost::json::serialize(transition_json(transition, core.account(link))));
    transitions[link].push_back(std::move(transition));
    if (transitions[link].size() > transitions_kept_max) transitions[link].pop_front();
    touch(link);
  }

  void read_and_transmit(core::Transmit transmit) {
    const core::Seq first = transmit.entry.first_seq;
    store->read_body(first, [this, transmit = std::move(transmit)](Result<std::string> body) {
      if (body) {
        bridges[transmit.link]->transmit(transmit.entry, std::move(*body));
        return;
      }
      core::SendOutcome outcome;
      outcome.kind = core::SendOutcome::Kind::not_sent;
      outcome.why = "its body could not be read: " + body.error().message;
      core.outcome(transmit.entry.seq, outcome, now());
      settle();
    });
  }

  void read_frames(const core::ReadFrames& read) {
    store::FrameQuery query;
    query.account = core.account(read.link);
    query.after = read.after;
    query.count_max = read.count_max;
    query.bytes_max = read.bytes_max;
    store->read_frames(std::move(query), [this, link = read.link,
                                          client = read.client](Result<store::FramePage> page) {
      if (page)
        core.page(link, client, page->frames, page->read_up_to, now());
      else
        core.page_failed(link, client, now());
      settle();
    });
  }

  /// The link's snapshot changed: told to watchers at most ten times a second.
  void touch(core::LinkId link) {
    touched.insert(link);
    if (telling || !events.watched()) return;
    telling = true;
    link_events.expires_after(link_event_every);
    link_events.async_wait([this](const boost::system::error_code& ec) {
      telling = false;
      if (ec) return;
      for (const core::LinkId id : std::exchange(touched, {})) {
        boost::json::object snapshot = link_json(view(id));
        snapshot.erase("transitions");  // watchers get each as an event of its own
        events.publish("link", boost::json::serialize(snapshot));
      }
    });
  }

  [[nodiscard]] LinkView view(core::LinkId id) const {
    const core::Consumer& consumer = core.consumer(id);
    return LinkView{.id = id,
                    .account = core.account(id),
                    .upstream = urls[id],
                    .link = core.link(id).status(),
                    .outbox = core.outbox(id),
                    .intake = core.intake(id),
                    .cursor = consumer.cursor(),
                    .lag = consumer.lag(),
                    .clients = consumer.clients(),
                    .transitions = &transitions[id]};
  }

  net::asio::io_context& io;
  Config config;
  std::unique_ptr<store::Store> store;
  core::Recovered recovered;
  BridgeFactory make_bridge;
  core::Gateway core;
  EventLog events;
  net::asio::steady_timer timer;
  std::optional<core::TimePoint> armed_for;
  net::asio::steady_timer link_events;
  std::set<core::LinkId> touched;
  Hints hints;

  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<upstream::Bridge>> bridges;
  std::vector<net::Endpoint> endpoints;
  std::vector<std::string> urls;
  std::vector<core::Reason> last_failure;
  std::vector<std::deque<core::Transition>> transitions;

  std::map<core::ClientId, Receiver*> clients;
  std::map<core::SubmissionId, std::shared_ptr<Promise<core::Answer>>> callers;
  core::ClientId last_client = 0;
  core::SubmissionId last_submission = 0;
  std::int64_t started_at_ms = wall_ms();
  bool settling = false;
  bool telling = false;
};

Daemon::Daemon(net::asio::io_context& io, Config config, std::unique_ptr<store::Store> store,
               core::Recovered recovered, BridgeFactory make_bridge)
    : impl_{std::make_unique<Impl>(io, std::move(config), std::move(store), std::move(recovered),
                                   std::move(make_bridge))} {}

Daemon::~Daemon() = default;

Result<void> Daemon::start() {
  for (const Upstream& upstream : impl_->config.upstreams) {
    for (const std::string& account : upstream.accounts) {
      const auto link = static_cast<core::LinkId>(impl_->bridges.size());
      impl_->listeners.push_back(std::make_unique<Impl::Listener>(*impl_, link));
      auto bridge =
          impl_->make_bridge(impl_->io, upstream.parsed, account, *impl_->listeners.back());
      if (!bridge) return bridge.error();
      impl_->bridges.push_back(std::move(*bridge));
      impl_->endpoints.push_back(upstream.parsed.endpoint);
      impl_->urls.push_back(upstream.url);
      impl_->last_failure.push_back(core::Reason::started);
      impl_->transitions.emplace_back();
    }
  }
  impl_->core.start(impl_->recovered, now());
  impl_->recovered = {};
  impl_->settle();
  return {};
}

net::Task<void> Daemon::wait_until(Impl& impl, bool (core::Gateway::*condition)() const,
                                   std::chrono::milliseconds within) {
  net::asio::steady_timer pause{impl.io};
  const auto until = std::chrono::steady_clock::now() + within;
  while (!(impl.core.*condition)() && std::chrono::steady_clock::now() < until) {
    pause.expires_after(std::chrono::milliseconds{5});
    co_await pause.async_wait(net::as_result);
  }
}

net::Task<void> Daemon::stop() {
  Impl& impl = *impl_;
  impl.core.drain();
  impl.settle();
  co_await wait_until(impl, &core::Gateway::quiet, drain_within);
  impl.core.stop(now());
  impl.settle();
  for (const auto& bridge : impl.bridges) bridge->stop();
  co_await wait_until(impl, &core::Gateway::settled, settle_within);
  impl.hints.stop();
  impl.timer.cancel();
  impl.link_events.cancel();
}

std::optional<core::LinkId> Daemon::find(std::string_view account) const {
  return impl_->core.find(account);
}
std::size_t Daemon::links() const noexcept { return impl_->core.links(); }

core::ClientId Daemon::attach(core::LinkId link, core::Window window, Receiver& receiver) {
  const core::ClientId client = ++impl_->last_client;
  impl_->clients.emplace(client, &receiver);
  impl_->core.attach(link, client, window);
  impl_->touch(link);
  impl_->settle();
  return client;
}

void Daemon::detach(core::LinkId link, core::ClientId client) {
  if (impl_->clients.erase(client) == 0) return;
  impl_->core.detach(link, client);
  impl_->touch(link);
  impl_->settle();
}

void Daemon::acknowledged(core::LinkId link, core::ClientId client, core::Seq seq) {
  impl_->core.acknowledged(link, client, seq);
  impl_->settle();
}

net::Task<core::Answer> Daemon::submit(core::Submission submission) {
  submission.id = ++impl_->last_submission;
  const core::SubmissionId id = submission.id;
  const auto promise = std::make_shared<Promise<core::Answer>>(impl_->io);
  impl_->callers.emplace(id, promise);
  impl_->core.submit(std::move(submission), now());
  impl_->settle();
  if (!promise->value) co_await promise->signal.async_wait(net::as_result);
  impl_->callers.erase(id);
  if (!promise->value) {  // its caller has gone
    impl_->core.forget(id);
    core::Answer gone{.submission = id, .kind = core::Answer::Kind::refused};
    gone.error = Error{Errc::cancelled, "the call was given up"};
    co_return gone;
  }
  co_return std::move(*promise->value);
}

bool Daemon::retry_now(core::LinkId link) {
  const bool retried = impl_->core.retry_now(link, now());
  impl_->settle();
  return retried;
}

upstream::Bridge& Daemon::bridge(core::LinkId link) { return *impl_->bridges.at(link); }

net::Task<Result<std::vector<store::EntryDetail>>> Daemon::read_send(core::Seq first_seq) {
  using Parts = Result<std::vector<store::EntryDetail>>;
  const auto promise = std::make_shared<Promise<Parts>>(impl_->io);
  impl_->store->read_send(first_seq, [promise](Parts parts) { promise->set(std::move(parts)); });
  return value_of(promise);
}

net::Task<Result<std::vector<core::Entry>>> Daemon::read_entries(store::EntryQuery query) {
  using Entries = Result<std::vector<core::Entry>>;
  const auto promise = std::make_shared<Promise<Entries>>(impl_->io);
  impl_->store->read_entries(std::move(query),
                             [promise](Entries entries) { promise->set(std::move(entries)); });
  return value_of(promise);
}

LinkView Daemon::view(core::LinkId link) const { return impl_->view(link); }
store::StoreStatus Daemon::store_status() const { return impl_->store->status(); }
std::uint64_t Daemon::epoch() const noexcept { return impl_->core.epoch(); }
std::int64_t Daemon::started_at_ms() const noexcept { return impl_->started_at_ms; }
const Config& Daemon::config() const noexcept { return impl_->config; }
EventLog& Daemon::events() noexcept { return impl_->events; }
net::asio::io_context& Daemon::io() noexcept { return impl_->io; }

}  // namespace holdfast::gateway
