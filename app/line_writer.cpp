#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <app/line_writer.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace holdfast::app {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds stop_within{1'000};
constexpr int look_every_ms = 100;  // for the wish to stop while the reader stalls

}  // namespace

LineWriter::LineWriter(int fd) : fd_{fd}, thread_{[this] { work(); }} {}

LineWriter::~LineWriter() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void LineWriter::line(std::string text) {
  {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() >= waiting_max) {
      ++left_out_;
      return;
    }
    waiting_.push_back(std::move(text));
  }
  changed_.notify_one();
}

void LineWriter::work() {
  bool reader_is_there = true;
  for (;;) {
    std::string text;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      for (const std::string& line : std::exchange(waiting_, {})) text += line + '\n';
      if (const auto left_out = std::exchange(left_out_, 0); left_out > 0) {
        text += fmt::format("({} lines left out: the output was not read)\n", left_out);
      }
    }
    if (reader_is_there) reader_is_there = write(text);
  }
}

bool LineWriter::write(const std::string& text) {
  std::size_t done = 0;
  Clock::time_point give_up{};
  while (done < text.size()) {
    pollfd ready{fd_, POLLOUT, 0};
    const int found = ::poll(&ready, 1, look_every_ms);
    if (found < 0 && errno != EINTR) return false;
    if (found <= 0) {
      const std::lock_guard lock{mutex_};
      if (!stopping_) continue;
      if (give_up == Clock::time_point{}) give_up = Clock::now() + stop_within;
      if (Clock::now() >= give_up) return false;
      continue;
    }
    // A pipe that is ready takes PIPE_BUF bytes without blocking, and no more for certain.
    const std::size_t piece = std::min<std::size_t>(text.size() - done, PIPE_BUF);
    const ssize_t written = ::write(fd_, text.data() + done, piece);
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return true;
}

bool wants_colour(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return ::isatty(fd) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
         !(terminal != nullptr && std::string_view{terminal} == "dumb");
}

}  // namespace holdfast::app
