/// What the store's threads know about it, for whoever asks.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <store/store.hpp>

namespace holdfast::store {

/// Any thread may call anything.
class StatusBoard {
 public:
  explicit StatusBoard(std::filesystem::path database) : database_{std::move(database)} {}

  void committed(std::chrono::nanoseconds took);
  /// One sentence; stays until the next commit that succeeds.
  void failed(const std::string& problem);
  void checked(std::string result);
  /// Looks at the files and the disk; a few system calls.
  void measure();

  [[nodiscard]] StoreStatus snapshot() const;

 private:
  const std::filesystem::path database_;
  mutable std::mutex mutex_;
  StoreStatus status_;
  std::array<float, 1'024> latencies_ms_{};  ///< of the last commits, a ring
};

}  // namespace holdfast::store
