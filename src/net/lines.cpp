#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <core/assert.hpp>
#include <cstring>
#include <net/byte_stream.hpp>
#include <net/lines.hpp>
#include <net/listener.hpp>
#include <net/waiting.hpp>

namespace holdfast::net {
namespace {

/// What came in and was not taken yet. One gap-free piece of memory that grows with the line that
/// is under way and is given back after it, so that an idle connection costs a few KiB.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t line_bytes_max) : line_bytes_max_{line_bytes_max} {}

  enum class Found { nothing, line, too_long };

  /// The next whole line, if there is one. Each byte is looked at once.
  Found take_line(std::string& line) {
    if (scanned_ == end_) return over_limit(end_ - begin_) ? Found::too_long : Found::nothing;
    const void* found = std::memchr(memory_.data() + scanned_, '\n', end_ - scanned_);
    if (found == nullptr) {
      scanned_ = end_;
      return over_limit(end_ - begin_) ? Found::too_long : Found::nothing;
    }
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - memory_.data());
    std::size_t last = at;
    if (last > begin_ && memory_[last - 1] == '\r') --last;
    if (last - begin_ > line_bytes_max_) return Found::too_long;
    line.assign(memory_, begin_, last - begin_);
    begin_ = scanned_ = at + 1;
    if (begin_ == end_) clear();
    return Found::line;
  }
  [[nodiscard]] std::size_t line_bytes_max() const noexcept { return line_bytes_max_; }

  [[nodiscard]] asio::mutable_buffer prepare() {
    if (begin_ > 0 && (memory_.size() - end_ < read_bytes_min || begin_ > memory_.size() / 2)) {
      std::memmove(memory_.data(), memory_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      scanned_ -= begin_;
      begin_ = 0;
    }
    if (memory_.size() - end_ < read_bytes_min) {
      memory_.resize(std::max(memory_.size() * 2, read_bytes_min));
    }
    return asio::buffer(memory_.data() + end_, memory_.size() - end_);
  }
  void commit(std::size_t bytes) { end_ += bytes; }

 private:
  /// A line that has not ended yet may still turn out to end with a carriage return.
  [[nodiscard]] bool over_limit(std::size_t bytes) const noexcept {
    return bytes > line_bytes_max_ + 1;
  }

  void clear() {
    begin_ = end_ = scanned_ = 0;
    if (memory_.size() > keep_bytes_max) {
      memory_.resize(read_bytes_min);
      memory_.shrink_to_fit();
    }
  }

  static constexpr std::size_t read_bytes_min = 4u << 10;
  static constexpr std::size_t keep_bytes_max = 32u << 10;

  std::size_t line_bytes_max_;
  std::string memory_;
  std::size_t begin_ = 0;    // of the line at hand
  std::size_t scanned_ = 0;  // no terminator before this
  std::size_t end_ = 0;      // of what came in
};

struct LineState {
  LineState(ByteStreamPtr s, std::size_t line_bytes_max)
      : stream{std::move(s)}, incoming{line_bytes_max} {}

  ByteStreamPtr stream;
  LineBuffer incoming;
  Turns turns;
  bool reading = false;
  bool closed = false;
  bool shutdown_wanted = false;
};

Error closed_here() { return Error{Errc::closed, "the connection was closed here"}; }

Task<Result<std::string>> read_line(std::shared_ptr<LineState> state) {
  HF_ASSERT(!state->reading);
  state->reading = true;
  struct Done {
    LineState* state;
    ~Done() { state->reading = false; }
  } const done{state.get()};

  std::string line;
  for (;;) {
    if (state->closed) co_return closed_here();
    const auto found = state->incoming.take_line(line);
    if (found == LineBuffer::Found::line) co_return line;
    if (found == LineBuffer::Found::too_long) {
      co_return Error{
          Errc::too_large,
          "a line is longer than " + std::to_string(state->incoming.line_bytes_max()) + " bytes"};
    }
    state->stream->arm_quickack();
    const auto [ec, n] =
        co_await state->stream->async_read_some(state->incoming.prepare(), as_result);
    state->incoming.commit(n);
    if (state->closed) co_return closed_here();
    if (ec) co_return to_error(ec, "reading");
  }
}

Task<Result<void>> write_line(std::shared_ptr<LineState> state, std::string line) {
  const auto turn = co_await state->turns.take();
  if (state->closed) co_return closed_here();
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(line), asio::buffer("\n", 1)};
  const auto [ec, n] = co_await asio::async_write(*state->stream, buffers, as_result);
  if (state->closed) co_return closed_here();
  if (ec) co_return to_error(ec, "writing");
  if (state->shutdown_wanted) state->stream->shutdown_send();
  co_return Result<void>{};
}

class LineStreamImpl final : public LineStream {
 public:
  LineStreamImpl(ByteStreamPtr stream, std::size_t line_bytes_max)
      : state_{std::make_shared<LineState>(std::move(stream), line_bytes_max)} {}
  ~LineStreamImpl() override { LineStreamImpl::close(); }

  Task<Result<std::string>> read_line() override { return net::read_line(state_); }
  Task<Result<void>> write_line(std::string line) override {
    return net::write_line(state_, std::move(line));
  }
  void shutdown_send() override {
    state_->shutdown_wanted = true;
    if (state_->turns.is_idle()) state_->stream->shutdown_send();
  }
  void close() override {
    state_->closed = true;
    state_->stream->close();
  }
  [[nodiscard]] std::chrono::steady_clock::time_point last_byte_at() const override {
    return state_->stream->last_byte_at();
  }

 private:
  std::shared_ptr<LineState> state_;
};

class LineServerImpl final : public LineServer {
 public:
  LineServerImpl(std::shared_ptr<Listener> listener) : listener_{std::move(listener)} {}
  ~LineServerImpl() override { listener_->stop(); }
  [[nodiscard]] std::uint16_t port() const override { return listener_->port(); }

 private:
  std::shared_ptr<Listener> listener_;
};

}  // namespace

Task<Result<LineStreamPtr>> connect_lines(Endpoint endpoint, ConnectOptions options,
                                          std::size_t line_bytes_max) {
  auto stream = co_await connect(std::move(endpoint), options);
  if (!stream) co_return stream.error();
  co_return LineStreamPtr{std::make_shared<LineStreamImpl>(std::move(*stream), line_bytes_max)};
}

Result<std::unique_ptr<LineServer>> listen_lines(asio::io_context& io, Endpoint endpoint,
                                                 LineServer::OnConnection on_connection) {
  auto listener = Listener::open(io, endpoint);
  if (!listener) return listener.error();
  const auto handler = std::make_shared<const LineServer::OnConnection>(std::move(on_connection));
  (*listener)->start([&io, handler](StreamSocket socket) {
    ByteStreamPtr stream{new ByteStream{std::move(socket), nullptr}};
    LineStreamPtr lines =
        std::make_shared<LineStreamImpl>(std::move(stream), line_bytes_max_default);
    asio::co_spawn(io, (*handler)(std::move(lines)), IgnoreException{handler});
  });
  return std::unique_ptr<LineServer>{std::make_unique<LineServerImpl>(std::move(*listener))};
}

}  // namespace holdfast::net
