#include <api/context.hpp>
#include <api/poll_batch.hpp>
#include <api/replies.hpp>

namespace holdfast::api {
namespace {

constexpr std::chrono::seconds backlog_read_within{1};  ///< even where `timeout` is 0
constexpr std::chrono::milliseconds next_page_within{20};
constexpr std::chrono::seconds ask_within{5};
constexpr std::chrono::seconds acknowledged_within{30};

/// One poll as a receiver. It waits for a first frame, gathers what is there, and is answered.
class Poll final : public gateway::Receiver, public Lasting {
 public:
  Poll(net::asio::io_context& io, core::Window limits) : batch_{limits}, waker_{io} {}

  void deliver(const core::Frame& frame) override {
    batch_.add(frame);
    waker_.wake();
  }
  void ask_ack(core::Seq seq) override {
    batch_.ask(seq);
    waker_.wake();
  }
  void end() override {
    ended_ = true;
    waker_.wake();
  }

  /// `caught_up`: whether a sequence is the last that there is.
  static net::Task<> gather(Poll& poll, Clock::time_point first_frame_until,
                            std::function<bool(core::Seq)> caught_up) {
    for (;;) {
      const PollBatch& batch = poll.batch_;
      if (poll.ended_) co_return;
      auto until = first_frame_until;
      if (!batch.empty()) {
        const bool covered = batch.covered();
        if (covered && (batch.full() || caught_up(batch.asked()))) co_return;
        until = Clock::now() + (covered ? Clock::duration{next_page_within} : ask_within);
      }
      const bool woken = co_await poll.waker_.wait_until(until);
      if (!woken) co_return;
    }
  }

  [[nodiscard]] const PollBatch& batch() const noexcept { return batch_; }

 private:
  PollBatch batch_;
  Waker waker_;
  bool ended_ = false;
};

}  // namespace

Handled handle_poll(ContextPtr context, net::Exchange& exchange, core::LinkId link) {
  gateway::Daemon& daemon = *context->daemon;
  const net::HttpRequest& request = exchange.request();
  const auto wanted = read_poll_request(request.query("timeout"), request.query("max_messages"));
  if (!wanted) co_return error_response(wanted.error());
  const core::Seq lag = daemon.view(link).lag;
  if (wanted->timeout == std::chrono::seconds::zero() && lag == 0)
    co_return json_response(200, "[]");

  Poll poll{daemon.io(), wanted->window()};
  const Enrolled enrolled{context, poll};
  Attachment attachment{context, link, wanted->window(), poll};
  const auto patience = lag > 0 ? std::max(wanted->timeout, backlog_read_within) : wanted->timeout;
  std::function<bool(core::Seq)> caught_up = [&daemon, link](core::Seq seq) {
    const gateway::LinkView view = daemon.view(link);
    return seq >= view.cursor + view.lag;
  };
  if (!context->stopping)
    co_await Poll::gather(poll, Clock::now() + patience, std::move(caught_up));

  // Taken by the caller once its kernel has all of it; before that it would be taken by nobody.
  net::HttpResponse response = json_response(200, poll.batch().json());
  const core::Seq asked = poll.batch().asked();
  if (response.body == "[]") co_return response;
  const auto taken =
      co_await exchange.respond_acknowledged(std::move(response), acknowledged_within);
  if (taken) attachment.acknowledged(asked);
  co_return std::nullopt;
}

}  // namespace holdfast::api
