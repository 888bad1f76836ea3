/// Failures of the outside world, returned by value. Bugs are assertions (`core/assert.hpp`).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace holdfast {

/// What kind of failure it is. The names are stable: they are the `code` of every JSON error.
enum class Errc {
  invalid_argument,   ///< the caller gave something wrong; the message says what to change
  not_found,          ///< no such account, entry or endpoint
  conflict,           ///< an idempotency key was used before with another body
  too_large,          ///< over a documented size limit
  queue_full,         ///< a bound of count or bytes is reached; nothing was accepted
  store_full,         ///< the disk is full; nothing was written
  store_read_only,    ///< the store cannot be written
  store_corrupt,      ///< the store's file is damaged
  store_busy,         ///< another process holds the data directory
  store_too_new,      ///< the store was written by a newer Holdfast
  store_failed,       ///< any other failure of the disk
  refused,            ///< nobody listens at the peer's address
  timed_out,          ///< no answer within the deadline
  closed,             ///< the peer closed the connection, or it was reset
  protocol,           ///< the peer broke the protocol
  unresolved,         ///< the peer's host name has no address
  cancelled,          ///< we are stopping
  unavailable,        ///< the bridge is away; try again later
  unsupported,        ///< the bridge has no counterpart for this call
};

/// The stable spelling of `code` in JSON errors: "invalid_argument" and so on.
[[nodiscard]] const char* to_string(Errc code) noexcept;

/// A failure: its kind, and one sentence for a person.
struct Error {
  Errc code;
  std::string message;
};

/// A value or an `Error`; spelled like `std::expected`, which C++20 lacks.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_{std::in_place_index<0>, std::move(value)} {}
  Result(Error error) : content_{std::in_place_index<1>, std::move(error)} {}

  [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value. Undefined unless `has_value()`.
  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&content_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&content_); }

  /// The error. Undefined if `has_value()`.
  [[nodiscard]] Error& error() noexcept { return *std::get_if<1>(&content_); }
  [[nodiscard]] const Error& error() const noexcept { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, Error> content_;
};

/// Success without a value, or an `Error`.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_{std::move(error)}, failed_{true} {}

  [[nodiscard]] bool has_value() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] Error& error() noexcept { return error_; }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_{};
  bool failed_ = false;
};

}  // namespace holdfast
