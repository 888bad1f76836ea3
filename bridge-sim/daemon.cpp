#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <bridge_sim/commands.hpp>
#include <bridge_sim/daemon.hpp>
#include <bridge_sim/values.hpp>

namespace holdfast::bridge_sim {

Daemon::Daemon(asio::io_context& io, World w, ReceiveMode receive_mode, std::string v,
               std::uint64_t seed)
    : world{std::move(w)},
      changed{io},
      mode{receive_mode},
      version{std::move(v)},
      io_{io},
      random_{seed} {}

void Daemon::start() {
  for (auto& [number, account] : world.accounts()) {
    asio::co_spawn(io_, receive_thread(shared_from_this(), &account), asio::detached);
  }
}

void Daemon::stop() {
  stopped_ = true;
  kill();
}

void Daemon::kill() {
  up_ = false;
  ++generation_;
  subscriptions_ = 0;
  changed.notify();
}

void Daemon::revive() {
  up_ = !stopped_;
  changed.notify();
}

void Daemon::clear_faults() {
  ++clearings_;
  const bool receipts = faults.delivery_receipts;
  faults = Faults{};
  faults.delivery_receipts = receipts;
  for (auto& [number, account] : world.accounts()) account.known = true;
  changed.notify();
}

// --- Receiving ----------------------------------------------------------------------------------

Daemon::Registration Daemon::attach(std::shared_ptr<Receiver> receiver) {
  receivers_.push_back(std::move(receiver));
  changed.notify();
  return Registration{shared_from_this(), std::prev(receivers_.end())};
}

void Daemon::count_connection(int change) {
  connections_ += change;
  changed.notify();
}

std::optional<std::string> Daemon::take(Account& account) {
  if (account.queue.empty()) return std::nullopt;
  const Queued message = std::move(account.queue.front());
  account.queue.pop_front();
  return message.frame(wall_ms());
}

bool Daemon::pulls(const Account& account) const {
  if (!up_ || polling || faults.stalled_receive || account.queue.empty()) return false;
  switch (mode) {
    case ReceiveMode::on_start:
      return true;
    case ReceiveMode::on_connection:
      return connections_ > 0 || !receivers_.empty();
    case ReceiveMode::manual:
      break;
  }
  return std::any_of(receivers_.begin(), receivers_.end(),
                     [&](const auto& receiver) { return receiver->wants(account.number); });
}

net::Task<> Daemon::receive_thread(std::shared_ptr<Daemon> self, Account* account) {
  while (!self->stopped_) {
    if (!self->pulls(*account)) {
      co_await self->changed.wait();
      continue;
    }
    // Taken from the service and acknowledged to it, before anybody has it.
    const std::uint64_t generation = self->generation_;
    auto frame = self->take(*account);
    if (self->faults.delivery_delay.count() > 0) {
      co_await pause(self->io_, self->faults.delivery_delay);
    }
    if (self->generation_ != generation) {
      ++account->lost;
      continue;
    }
    const bool twice = self->faults.duplicate_next > 0;
    if (twice) {
      --self->faults.duplicate_next;
      co_await deliver(self, account, *frame);
    }
    co_await deliver(self, account, std::move(*frame));
  }
}

net::Task<> Daemon::deliver(std::shared_ptr<Daemon> self, Account* account, std::string frame) {
  // Handlers are called one after the other under one lock; a slow one holds up the others.
  std::vector<std::shared_ptr<Receiver>> receivers;
  for (const auto& receiver : self->receivers_) {
    if (receiver->wants(account->number)) receivers.push_back(receiver);
  }
  bool anybody = false;
  for (const auto& receiver : receivers) {
    const auto taken = co_await receiver->deliver(frame);
    if (taken == Receiver::Taken::yes) anybody = true;
    if (taken == Receiver::Taken::busy) ++account->dropped;
  }
  if (anybody) {
    ++account->delivered;
  } else {
    ++account->lost;
  }
}

net::Task<> Daemon::deliver_text(std::shared_ptr<Daemon> self, std::string account,
                                 std::string text) {
  std::vector<std::shared_ptr<Receiver>> receivers;
  for (const auto& receiver : self->receivers_) {
    if (receiver->wants(account)) receivers.push_back(receiver);
  }
  for (const auto& receiver : receivers) (void)co_await receiver->deliver(text);
}

void Daemon::deliver_raw(std::string account, std::string text) {
  asio::co_spawn(io_, deliver_text(shared_from_this(), std::move(account), std::move(text)),
                 asio::detached);
}

// --- Calling ------------------------------------------------------------------------------------

std::optional<SendPlan> Daemon::take_plan(const std::string& method, const Account& account,
                                          const std::vector<std::string>& recipients) {
  for (auto plan = faults.plans.begin(); plan != faults.plans.end(); ++plan) {
    const bool operation_fits = plan->operation == "any" || plan->operation == method;
    const bool account_fits = plan->account.empty() || plan->account == account.number;
    const bool recipient_fits =
        plan->recipient.empty() ||
        std::any_of(recipients.begin(), recipients.end(), [&](const std::string& recipient) {
          return recipient == plan->recipient ||
                 world.person(recipient).uuid == world.person(plan->recipient).uuid;
        });
    if (!operation_fits || !account_fits || !recipient_fits) continue;
    SendPlan taken = *plan;
    if (plan->count > 0 && --plan->count == 0) faults.plans.erase(plan);
    return taken;
  }
  return std::nullopt;
}

net::Task<CallAnswer> Daemon::call(std::shared_ptr<Daemon> self, std::string method,
                                   json::object params) {
  struct Count {
    explicit Count(std::uint64_t& n) : number{n} { ++number; }
    ~Count() { --number; }
    std::uint64_t& number;
  } const count{self->calls_under_way_};
  const std::uint64_t generation = self->generation_;
  while (self->faults.hung_calls && self->generation_ == generation) co_await self->changed.wait();
  if (self->generation_ != generation || !self->up_) co_return no_answer();

  auto immediate = answer_without_account(*self, method, params);
  if (immediate) co_return std::move(*immediate);
  Account* account = nullptr;
  auto wrong_account = find_account(self->world, params, account);
  if (wrong_account) co_return std::move(*wrong_account);
  auto simple = answer_query(*self, method, *account, params);
  if (simple) co_return std::move(*simple);
  co_return co_await transmit(self, std::move(method), account, std::move(params));
}

net::Task<CallAnswer> Daemon::transmit(std::shared_ptr<Daemon> self, std::string method,
                                       Account* account, json::object params) {
  Transmission transmission;
  auto invalid = check_transmission(self->world, method, *account, params, transmission);
  if (invalid) co_return std::move(*invalid);
  const auto plan = self->take_plan(method, *account, transmission.recipients);
  const std::uint64_t generation = self->generation_;
  const std::uint64_t clearings = self->clearings_;

  auto latency = self->faults.latency;
  if (const auto jitter = self->faults.latency_jitter.count(); jitter > 0) {
    latency += std::chrono::milliseconds{self->random_() % static_cast<std::uint64_t>(jitter + 1)};
  }
  if (latency.count() > 0) co_await pause(self->io_, latency);
  if (self->generation_ != generation) co_return no_answer();

  transmission.timestamp = self->world.next_timestamp(*account);
  if (!plan || plan->deliver) record_transmission(*self, *account, transmission, plan);
  if (plan && plan->then == SendPlan::Then::hang) {
    while (self->generation_ == generation && self->clearings_ == clearings) {
      co_await self->changed.wait();
    }
    co_return no_answer();
  }
  co_return answer_transmission(self->world, transmission, plan);
}

}  // namespace holdfast::bridge_sim
