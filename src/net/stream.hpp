/// Byte streams: TCP, UNIX and TLS under one type, so that Beast is instantiated once.
#pragma once

#include <chrono>
#include <memory>
#include <net/task.hpp>
#include <net/url.hpp>
#include <string>

namespace holdfast::net {

/// How to connect.
struct ConnectOptions {
  std::chrono::milliseconds timeout{10'000};
  /// Repeat a refused connect every 25 ms for this long, as one attempt: a UNIX socket appears at
  /// bind(), before listen(). Zero: a refusal is final.
  std::chrono::milliseconds repeat_refused_for{0};
};

/// A connected stream; defined in stream.cpp and seen by `net/` alone.
class ByteStream;
struct ByteStreamDeleter {
  void operator()(ByteStream* stream) const noexcept;
};
using ByteStreamPtr = std::unique_ptr<ByteStream, ByteStreamDeleter>;

/// Connects to the first address of the host that answers. TLS verifies the peer's certificate and
/// its name against the system's trusted certificates (SSL_CERT_FILE and SSL_CERT_DIR name others).
[[nodiscard]] Task<Result<ByteStreamPtr>> connect(Endpoint endpoint, ConnectOptions options);

}  // namespace holdfast::net
