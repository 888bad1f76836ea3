#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <app/line_writer.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

namespace holdfast::app {
namespace {

using testing::HasSubstr;

class Pipe : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
  }
  void TearDown() override {
    close_reader();
    close_writer();
  }
  void close_reader() {
    if (ends_[0] >= 0) ::close(std::exchange(ends_[0], -1));
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  [[nodiscard]] int writer() const { return ends_[1]; }
  /// Everything up to the writer's end.
  std::string read_all() {
    close_writer();
    std::string text;
    char piece[65'536];
    for (ssize_t n = 0; (n = ::read(ends_[0], piece, sizeof piece)) > 0;) {
      text.append(piece, static_cast<std::size_t>(n));
    }
    return text;
  }

 private:
  int ends_[2] = {-1, -1};
};
using LineWriterOnAPipe = Pipe;

TEST_F(LineWriterOnAPipe, WritesEveryLineInOrderBeforeItEnds) {
  {
    LineWriter lines{writer()};
    for (int i = 0; i < 1'000; ++i) lines.line(std::to_string(i));
  }
  std::string expected;
  for (int i = 0; i < 1'000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(read_all(), expected);
}

TEST_F(LineWriterOnAPipe, HoldsUpNobodyWhenTheReaderStalls) {
  const std::string line(1'000, 'x');
  auto lines = std::make_unique<LineWriter>(writer());
  // The pipe holds 64 KiB; the writer waits with what did not fit, and the rest is left out.
  const std::size_t given = 3 * LineWriter::waiting_max;
  for (std::size_t i = 0; i < given; ++i) lines->line(line);
  lines.reset();  // gives up after a second: nobody reads
  const std::string text = read_all();
  EXPECT_LT(text.size(), given * line.size());
  EXPECT_THAT(text, HasSubstr(line));
}

TEST_F(LineWriterOnAPipe, GoesOnWithoutAReader) {
  close_reader();
  LineWriter lines{writer()};
  for (int i = 0; i < 100; ++i) lines.line("nobody reads this");
}

}  // namespace
}  // namespace holdfast::app
