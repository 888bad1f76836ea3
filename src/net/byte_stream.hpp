/// The one stream type that Beast and the line reader are instantiated over. Internal to `net/`.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <net/stream.hpp>
#include <string>
#include <utility>

namespace holdfast::net {

using error_code = boost::system::error_code;
using StreamSocket = asio::generic::stream_protocol::socket;

/// A completion handler `void(error_code, std::size_t)` without its type: move-only, called at most
/// once. Keeps the executor and the cancellation slot that its handler asked for.
class IoHandler {
 public:
  using executor_type = asio::any_io_executor;
  using cancellation_slot_type = asio::cancellation_slot;

  template <typename Handler>
  IoHandler(Handler handler, const asio::any_io_executor& fallback)
      : model_{Model<Handler>::make(std::move(handler), fallback)} {}
  IoHandler(IoHandler&& other) noexcept : model_{std::exchange(other.model_, nullptr)} {}
  IoHandler& operator=(IoHandler&&) = delete;
  ~IoHandler() {
    if (model_ != nullptr) model_->destroy();
  }

  void operator()(error_code ec, std::size_t bytes) {
    std::exchange(model_, nullptr)->complete(ec, bytes);
  }
  [[nodiscard]] executor_type get_executor() const noexcept { return model_->executor; }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
    return model_->slot;
  }

 private:
  struct Concept {
    asio::any_io_executor executor;
    asio::cancellation_slot slot;
    virtual void complete(error_code ec, std::size_t bytes) = 0;  ///< frees itself first
    virtual void destroy() noexcept = 0;

   protected:
    Concept(asio::any_io_executor e, asio::cancellation_slot s) : executor{std::move(e)}, slot{s} {}
    ~Concept() = default;
  };

  template <typename Handler>
  struct Model final : Concept {
    using Allocator = asio::recycling_allocator<Model>;

    Model(Handler&& h, const asio::any_io_executor& fallback)
        : Concept{asio::any_io_executor{asio::get_associated_executor(h, fallback)},
                  asio::get_associated_cancellation_slot(h)},
          handler{std::move(h)} {}
    static Concept* make(Handler&& handler, const asio::any_io_executor& fallback) {
      return new (Allocator{}.allocate(1)) Model{std::move(handler), fallback};
    }
    void complete(error_code ec, std::size_t bytes) override {
      Handler last = std::move(handler);
      destroy();
      std::move(last)(ec, bytes);
    }
    void destroy() noexcept override {
      this->~Model();
      Allocator{}.deallocate(this, 1);
    }
    Handler handler;
  };

  Concept* model_;
};

/// Up to 16 buffers of a gather or scatter; what does not fit waits for the next call.
template <typename Buffer>
class BufferArray {
 public:
  BufferArray() = default;
  template <typename Sequence>
  explicit BufferArray(const Sequence& sequence) {
    const auto end = asio::buffer_sequence_end(sequence);
    for (auto it = asio::buffer_sequence_begin(sequence); it != end && count_ < buffers_.size();
         ++it) {
      const Buffer buffer{*it};
      if (buffer.size() > 0) buffers_[count_++] = buffer;
    }
  }
  [[nodiscard]] const Buffer* begin() const noexcept { return buffers_.data(); }
  [[nodiscard]] const Buffer* end() const noexcept { return buffers_.data() + count_; }

 private:
  std::array<Buffer, 16> buffers_{};
  std::size_t count_ = 0;
};

/// A connected stream. Movable; destroying it closes the connection, also while operations are
/// pending (they end with `operation_aborted`).
class ByteStream {
 public:
  struct Impl;
  using executor_type = asio::any_io_executor;

  explicit ByteStream(std::shared_ptr<Impl> impl) : impl_{std::move(impl)} {}
  /// Takes over an accepted socket. `ticket` is released when the connection has ended.
  ByteStream(StreamSocket socket, std::shared_ptr<void> ticket);
  ByteStream(ByteStream&&) noexcept = default;
  ByteStream& operator=(ByteStream&&) = delete;
  ~ByteStream();

  [[nodiscard]] executor_type get_executor() const noexcept;

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        ReadInitiation{impl_.get()}, token, BufferArray<asio::mutable_buffer>{buffers});
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        WriteInitiation{impl_.get()}, token, BufferArray<asio::const_buffer>{buffers});
  }
  /// Completes when a read would not wait (bytes, the peer's end, or an error). Without TLS only.
  template <typename Token>
  auto async_wait_readable(Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(WaitInitiation{impl_.get()},
                                                                      token);
  }
  /// Ends our direction, reads and drops what still comes until the peer's end, at most for
  /// `linger_max`: so that our last bytes are read instead of being lost to a reset.
  template <typename Token>
  auto async_linger(Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(LingerInitiation{impl_.get()},
                                                                      token);
  }
  static constexpr std::chrono::milliseconds linger_max{1'000};

  void close() noexcept;
  void cancel() noexcept;
  void shutdown_send() noexcept;
  /// Bytes that the next reads give before any others.
  void put_back(std::string bytes);
  /// Arms TCP_QUICKACK (it lasts for about one segment); nothing on other streams.
  void arm_quickack() noexcept;
  /// Whether the peer has closed or sent something; a kept connection that has is of no use.
  [[nodiscard]] bool has_input() const noexcept;
  /// Whether the peer's kernel has acknowledged all; an error when the connection is gone.
  [[nodiscard]] bool all_acknowledged(error_code& ec) const noexcept;
  [[nodiscard]] bool is_tls() const noexcept;
  [[nodiscard]] std::chrono::steady_clock::time_point last_byte_at() const noexcept;
  /// Called whenever bytes have come in, before they are looked at.
  void on_bytes(std::function<void()> callback);
  [[nodiscard]] std::weak_ptr<Impl> weak() const noexcept { return impl_; }

 private:
  static void start_read(Impl* impl, const BufferArray<asio::mutable_buffer>& buffers,
                         IoHandler handler);
  static void start_write(Impl* impl, const BufferArray<asio::const_buffer>& buffers,
                          IoHandler handler);
  static void start_wait(Impl* impl, IoHandler handler);
  static void start_linger(Impl* impl, IoHandler handler);
  static asio::any_io_executor executor_of(Impl* impl) noexcept;

  struct ReadInitiation {
    Impl* impl;
    template <typename Handler>
    void operator()(Handler&& handler, const BufferArray<asio::mutable_buffer>& buffers) const {
      start_read(impl, buffers, erase(impl, std::forward<Handler>(handler)));
    }
  };
  struct WriteInitiation {
    Impl* impl;
    template <typename Handler>
    void operator()(Handler&& handler, const BufferArray<asio::const_buffer>& buffers) const {
      start_write(impl, buffers, erase(impl, std::forward<Handler>(handler)));
    }
  };
  struct WaitInitiation {
    Impl* impl;
    template <typename Handler>
    void operator()(Handler&& handler) const {
      start_wait(impl, erase(impl, std::forward<Handler>(handler)));
    }
  };
  struct LingerInitiation {
    Impl* impl;
    template <typename Handler>
    void operator()(Handler&& handler) const {
      start_linger(impl, erase(impl, std::forward<Handler>(handler)));
    }
  };
  template <typename Handler>
  static IoHandler erase(Impl* impl, Handler&& handler) {
    return IoHandler{std::forward<Handler>(handler), executor_of(impl)};
  }

  std::shared_ptr<Impl> impl_;
};

/// Cancels the operations of a stream that is still there.
void cancel(const std::weak_ptr<ByteStream::Impl>& stream) noexcept;
/// Closes a stream that is still there.
void close(const std::weak_ptr<ByteStream::Impl>& stream) noexcept;

/// The options every socket of ours has: TCP_NODELAY, keepalive, TCP_USER_TIMEOUT 60 s.
void set_socket_options(StreamSocket& socket) noexcept;

// Beast's customization points.
template <typename Handler>
struct TeardownHandler {
  using executor_type = asio::associated_executor_t<Handler, asio::any_io_executor>;
  using cancellation_slot_type = asio::associated_cancellation_slot_t<Handler>;
  Handler handler;
  asio::any_io_executor fallback;
  void operator()(error_code, std::size_t) { std::move(handler)(error_code{}); }
  [[nodiscard]] executor_type get_executor() const noexcept {
    return asio::get_associated_executor(handler, fallback);
  }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
    return asio::get_associated_cancellation_slot(handler);
  }
};
template <typename Handler>
void async_teardown(boost::beast::role_type, ByteStream& stream, Handler&& handler) {
  stream.async_linger(TeardownHandler<std::decay_t<Handler>>{std::forward<Handler>(handler),
                                                             stream.get_executor()});
}
inline void teardown(boost::beast::role_type, ByteStream& stream, error_code& ec) {
  stream.close();
  ec = {};
}
inline void beast_close_socket(ByteStream& stream) { stream.close(); }

}  // namespace holdfast::net
