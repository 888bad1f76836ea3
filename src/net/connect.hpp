/// Connecting with a way to call it off. Internal to `net/`.
#pragma once

#include <functional>
#include <memory>
#include <net/stream.hpp>

namespace holdfast::net {

/// Calls off a `connect()` that is under way; it then fails with `cancelled`.
class ConnectCanceller {
 public:
  void cancel() {
    cancelled_ = true;
    if (const auto hook = std::exchange(hook_, nullptr)) hook();
  }
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
  void set_hook(std::function<void()> hook) { hook_ = std::move(hook); }

 private:
  bool cancelled_ = false;
  std::function<void()> hook_;
};

[[nodiscard]] Task<Result<ByteStreamPtr>> connect(Endpoint endpoint, ConnectOptions options,
                                                  std::shared_ptr<ConnectCanceller> canceller);

}  // namespace holdfast::net
