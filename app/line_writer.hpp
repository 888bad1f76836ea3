/// Lines on a terminal, a pipe or a file, written by a thread of their own: a reader that stalls
/// (a pager, Ctrl-S) must not hold up the gateway.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace holdfast::app {

class LineWriter {
 public:
  /// Lines that wait for the reader; further ones are left out, and a line says how many.
  static constexpr std::size_t waiting_max = 10'000;

  explicit LineWriter(int fd);
  /// Writes what waits, for at most a second.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Adds "\n". Returns at once. Once the reader has gone, lines go nowhere.
  void line(std::string text);

 private:
  void work();
  /// False when the reader has gone, or when there is no time left.
  bool write(const std::string& text);

  const int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  std::size_t left_out_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the rest
};

/// Whether to colour what goes to `fd`: a terminal, and NO_COLOR is not set.
[[nodiscard]] bool wants_colour(int fd);

}  // namespace holdfast::app
