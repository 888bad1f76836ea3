#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <bridge_sim/commands.hpp>
#include <bridge_sim/jsonrpc.hpp>
#include <bridge_sim/values.hpp>
#include <map>

namespace holdfast::bridge_sim {
namespace {

/// One notification handler: writes messages of one account or of all to a connection.
class LineReceiver final : public Receiver {
 public:
  LineReceiver(net::LineStreamPtr lines, std::optional<std::int64_t> subscription,
               std::string account)
      : lines_{std::move(lines)}, subscription_{subscription}, account_{std::move(account)} {}

  [[nodiscard]] bool wants(const std::string& account) const override {
    return account_.empty() || account_ == account;
  }
  net::Task<Taken> deliver(std::string frame) override {
    std::string line = R"({"jsonrpc":"2.0","method":"receive","params":)";
    if (subscription_) {
      line +=
          R"({"subscription":)" + std::to_string(*subscription_) + R"(,"result":)" + frame + "}";
    } else {
      line += frame;
    }
    line += "}";
    auto written = co_await lines_->write_line(std::move(line));
    co_return written ? Taken::yes : Taken::gone;
  }

 private:
  net::LineStreamPtr lines_;
  std::optional<std::int64_t> subscription_;  ///< manual mode wraps messages with it
  std::string account_;                       ///< empty: all
};

class LineConnection final : public SubscriptionCommands {
 public:
  LineConnection(std::shared_ptr<Daemon> daemon, net::LineStreamPtr lines)
      : daemon_{std::move(daemon)}, lines_{std::move(lines)}, settled_{daemon_->changed.io()} {
    daemon_->count_connection(1);
    if (daemon_->mode != ReceiveMode::manual) {
      automatic_.emplace(
          daemon_->attach(std::make_shared<LineReceiver>(lines_, std::nullopt, std::string{})));
    }
  }
  LineConnection(const LineConnection&) = delete;
  LineConnection& operator=(const LineConnection&) = delete;
  ~LineConnection() override { daemon_->count_connection(-1); }

  CallAnswer subscribe(const json::object& params) override {
    std::string number;
    if (params.contains("account")) {
      Account* account = nullptr;
      auto wrong = find_account(daemon_->world, params, account);
      if (wrong) return std::move(*wrong);
      number = account->number;
    }
    const std::int64_t id = daemon_->next_subscription();
    subscriptions_.emplace(
        id, daemon_->attach(std::make_shared<LineReceiver>(lines_, id, std::move(number))));
    return result_answer(id);
  }

  CallAnswer unsubscribe(const json::value& params) override {
    std::optional<std::int64_t> id;
    if (params.is_object()) id = number_of(params.get_object(), "subscription");
    if (params.is_array() && !params.get_array().empty()) id = number_of(params.get_array()[0]);
    if (!id) return error_answer(-1, "Missing subscription parameter with subscription id");
    const auto found = subscriptions_.find(*id);
    if (found == subscriptions_.end()) return error_answer(-1, "Unknown subscription id");
    subscriptions_.erase(found);
    return result_answer(json::object{});
  }

  /// Reads requests, each carried out by itself, until the client ends its direction; answers
  /// what is under way and only then lets go of the subscriptions.
  static net::Task<> run(std::shared_ptr<LineConnection> self) {
    for (;;) {
      auto line = co_await self->lines_->read_line();
      if (!line || !is_utf8(*line)) break;
      ++self->under_way_;
      asio::co_spawn(self->daemon_->changed.io(), answer(self, std::move(*line)), asio::detached);
    }
    while (self->under_way_ > 0) co_await self->settled_.wait();
    self->lines_->close();
  }

 private:
  static net::Task<> answer(std::shared_ptr<LineConnection> self, std::string line) {
    RpcReply reply = co_await answer_rpc(self->daemon_, std::move(line), self.get());
    if (reply.drop) {
      self->lines_->close();
    } else if (reply.text) {
      (void)co_await self->lines_->write_line(std::move(*reply.text));
    }
    --self->under_way_;
    self->settled_.notify();
  }

  std::shared_ptr<Daemon> daemon_;
  net::LineStreamPtr lines_;
  Event settled_;
  std::map<std::int64_t, Daemon::Registration> subscriptions_;
  std::optional<Daemon::Registration> automatic_;
  std::size_t under_way_ = 0;
};

}  // namespace

net::Task<> serve_lines(std::shared_ptr<Daemon> daemon, net::LineStreamPtr lines) {
  if (!daemon->is_up()) co_return;
  auto connection = std::make_shared<LineConnection>(std::move(daemon), std::move(lines));
  co_await LineConnection::run(std::move(connection));
}

}  // namespace holdfast::bridge_sim
