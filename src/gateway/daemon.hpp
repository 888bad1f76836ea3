/// The driver: feeds `core::Gateway` and carries out its effects with real bridges, a real store
/// and real clients. One io_context, one thread; it never touches a file.
#pragma once

#include <core/gateway.hpp>
#include <deque>
#include <functional>
#include <gateway/config.hpp>
#include <gateway/events.hpp>
#include <memory>
#include <net/http.hpp>
#include <net/task.hpp>
#include <store/store.hpp>
#include <string>
#include <upstream/bridge.hpp>
#include <vector>

namespace holdfast::gateway {

/// One attached client of `/v1/receive/{number}`, implemented by `api/`. Called on the deciding
/// thread; must not block and must not call back into the daemon from inside.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void deliver(const core::Frame& frame) = 0;
  /// After the completed write of what was delivered: see `core::AskAck`.
  virtual void ask_ack(core::Seq seq) = 0;
};

/// One link as the status shows it.
struct LinkView {
  core::LinkId id = 0;
  std::string account;
  std::string upstream;
  core::LinkStatus link;
  core::OutboxStatus outbox;
  core::IntakeStatus intake;
  core::Seq cursor = 0;
  core::Seq lag = 0;
  std::size_t clients = 0;
  const std::deque<core::Transition>* transitions = nullptr;  ///< the last 100, oldest first
};

/// Makes the bridge of one account; the tests give another one.
using BridgeFactory = std::function<Result<std::unique_ptr<upstream::Bridge>>(
    net::asio::io_context&, const net::Url&, const std::string& account,
    upstream::BridgeListener&)>;

class Daemon {
 public:
  /// `store` is open; `recovered` came from it.
  Daemon(net::asio::io_context& io, Config config, std::unique_ptr<store::Store> store,
         core::Recovered recovered, BridgeFactory make_bridge);
  ~Daemon();

  /// Starts every link. Errors name the upstream that is wrong.
  Result<void> start();
  /// G12: intake closes, what is in flight is settled or left durable. Returns within 4 s.
  net::Task<void> stop();

  // Callers of the faces.
  [[nodiscard]] std::optional<core::LinkId> find(std::string_view account) const;
  [[nodiscard]] std::size_t links() const noexcept;
  core::ClientId attach(core::LinkId link, core::Window window, Receiver& receiver);
  void detach(core::LinkId link, core::ClientId client);
  void acknowledged(core::LinkId link, core::ClientId client, core::Seq seq);
  /// Accepts a send and waits for its outcome, at most `submission.wait`. `submission.id` is given
  /// here.
  net::Task<core::Answer> submit(core::Submission submission);
  bool retry_now(core::LinkId link);
  [[nodiscard]] upstream::Bridge& bridge(core::LinkId link);

  // Reads.
  net::Task<Result<std::vector<store::EntryDetail>>> read_send(core::Seq first_seq);
  net::Task<Result<std::vector<core::Entry>>> read_entries(store::EntryQuery query);

  // Status.
  [[nodiscard]] LinkView view(core::LinkId link) const;
  [[nodiscard]] store::StoreStatus store_status() const;
  [[nodiscard]] std::uint64_t epoch() const noexcept;
  [[nodiscard]] std::int64_t started_at_ms() const noexcept;
  [[nodiscard]] const Config& config() const noexcept;
  [[nodiscard]] EventLog& events() noexcept;
  [[nodiscard]] net::asio::io_context& io() noexcept;

 private:
  struct Impl;
  static net::Task<void> wait_until(Impl& impl, bool (core::Gateway::*condition)() const,
                                    std::chrono::milliseconds within);
  std::unique_ptr<Impl> impl_;
};

/// Unix time in milliseconds.
[[nodiscard]] std::int64_t wall_ms();

}  // namespace holdfast::gateway
