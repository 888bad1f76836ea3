/// Durable appends a second against raw append + fdatasync, on the same disk in the same run.
///
///     store_bench [--dir DIR] [--seconds S] [--slice-ms N] [--group-records N]
///                 [--checkpoint-pages N]
///
/// The raw baseline and the store take turns in short slices, at 1, 8 and 64 records per sync, so
/// that both see the same disk: read the ratio, which is the median over the slices, not the rates.
/// A record is one frame of 1 KiB in a batch of its own; at 8 and 64, that many batches are
/// submitted, and the next ones after the last completion. "hashed" has identities that are
/// random from the first bit on, where the store's default are ordered by time.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <filesystem>
#include <mutex>
#include <random>
#include <store/sqlite_store.hpp>
#include <string>
#include <vector>

namespace {

using namespace holdfast;
using Clock = std::chrono::steady_clock;

constexpr std::size_t payload_bytes = 1'024;

struct Settings {
  std::filesystem::path dir = "store_bench.tmp";
  double seconds = 5.0;     ///< of each contestant at each size
  double slice_ms = 100.0;  ///< of one turn
  store::StoreOptions store;
};

/// Somebody who makes `size` records durable and returns when they are.
class Contestant {
 public:
  virtual ~Contestant() = default;
  virtual void group(std::size_t size) = 0;

  /// One turn. Records a second.
  double turn(double milliseconds, std::size_t size) {
    const std::clock_t cpu_before = std::clock();
    const auto started = Clock::now();
    auto last = started;
    std::size_t groups = 0;
    while (std::chrono::duration<double, std::milli>(last - started).count() < milliseconds) {
      group(size);
      const auto now = Clock::now();
      latencies_us_.push_back(std::chrono::duration<double, std::micro>(now - last).count());
      last = now;
      ++groups;
    }
    cpu_us_ += 1e6 * static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
    records_ += static_cast<double>(groups * size);
    rates_.push_back(static_cast<double>(groups * size) /
                     std::chrono::duration<double>(last - started).count());
    return rates_.back();
  }

  /// From the first submission of a group to its last completion.
  [[nodiscard]] double latency_us(double quantile) {
    std::ranges::sort(latencies_us_);
    const double last = static_cast<double>(latencies_us_.size() - 1);
    return latencies_us_[static_cast<std::size_t>(quantile * last)];
  }
  [[nodiscard]] const std::vector<double>& rates() const { return rates_; }
  /// Of all threads, for each record.
  [[nodiscard]] double cpu_us() const { return cpu_us_ / records_; }

 private:
  std::vector<double> latencies_us_;
  std::vector<double> rates_;
  double cpu_us_ = 0, records_ = 0;
};

/// The limit: what the disk gives to a program that does nothing else.
class RawFile final : public Contestant {
 public:
  explicit RawFile(const std::filesystem::path& file)
      : fd_{::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)} {}
  ~RawFile() override { ::close(fd_); }
  void group(std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) {
      if (::write(fd_, payload_.data(), payload_.size()) < 0) std::abort();
    }
    if (::fdatasync(fd_) != 0) std::abort();
  }

 private:
  const int fd_;
  const std::string payload_ = std::string(payload_bytes, 'x');
};

/// The deciding thread's queue of completions.
class Completions {
 public:
  store::Executor executor() {
    return [this](std::function<void()> run) {
      {
        const std::lock_guard lock{mutex_};
        waiting_.push_back(std::move(run));
      }
      wake_.notify_one();
    };
  }
  void run_one() {
    std::unique_lock lock{mutex_};
    wake_.wait(lock, [&] { return !waiting_.empty(); });
    const auto run = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    run();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
};

/// Identities as the envelope gives them: the time first; or hashed as a whole.
class Identities {
 public:
  explicit Identities(bool hashed) : hashed_{hashed} {}
  core::Identity next() {
    core::Identity identity;
    const std::uint64_t high = random_();
    const std::uint64_t low = random_();
    std::memcpy(identity.data(), &high, 8);
    std::memcpy(identity.data() + 8, &low, 8);
    if (hashed_) return identity;
    // A message every millisecond, give or take two seconds of disorder.
    const std::uint64_t time_ms = 1'700'000'000'000 + ++count_ + random_() % 2'000;
    for (std::size_t i = 0; i < 6; ++i) {
      identity[i] = static_cast<std::uint8_t>(time_ms >> (8 * (5 - i)));
    }
    return identity;
  }

 private:
  const bool hashed_;
  std::mt19937_64 random_{42};
  std::uint64_t count_ = 0;
};

class StoreUnderTest final : public Contestant {
 public:
  StoreUnderTest(const std::filesystem::path& dir, const store::StoreOptions& options, bool hashed)
      : identities_{hashed} {
    auto opened = store::open_sqlite_store(dir, options, completions_.executor());
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().message.c_str());
      std::exit(1);
    }
    store_ = std::move(*opened);
  }

  void group(std::size_t size) override {
    std::size_t done = 0;
    for (std::size_t i = 0; i < size; ++i) {
      core::Frame frame;
      frame.received_at_ms = 1'700'000'000'000;
      frame.kind = core::FrameKind::data;
      frame.identity = identities_.next();
      frame.bytes = payload_;
      core::Batch batch;
      batch.changes.push_back(core::AppendFrame{"+15550000001", std::move(frame)});
      store_->commit(std::move(batch), [&](const Result<core::Applied>& applied) {
        if (!applied || applied->frame_seqs.front() == 0) std::abort();
        ++done;
      });
    }
    while (done < size) completions_.run_one();
  }

 private:
  Completions completions_;
  Identities identities_;
  const std::shared_ptr<const std::string> payload_ =
      std::make_shared<const std::string>(payload_bytes, 'x');
  std::unique_ptr<store::Store> store_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Settings settings_of(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--dir") settings.dir = value;
    if (name == "--seconds") settings.seconds = std::atof(value);
    if (name == "--slice-ms") settings.slice_ms = std::atof(value);
    if (name == "--group-records") {
      settings.store.group_records_max = static_cast<std::size_t>(std::atol(value));
    }
    if (name == "--checkpoint-pages") {
      settings.store.checkpoint_pages = static_cast<std::uint32_t>(std::atol(value));
    }
  }
  return settings;
}

/// One line of the table.
void compete(const Settings& settings, std::size_t size, double target) {
  RawFile raw{settings.dir / "raw"};
  StoreUnderTest store{settings.dir / "store", settings.store, false};
  StoreUnderTest hashed{settings.dir / "hashed", settings.store, true};
  std::vector<double> ratios, hashed_ratios;
  const int turns = static_cast<int>(settings.seconds * 1'000 / settings.slice_ms);
  for (int turn = 0; turn < turns; ++turn) {
    const double limit = raw.turn(settings.slice_ms, size);
    ratios.push_back(store.turn(settings.slice_ms, size) / limit);
    hashed_ratios.push_back(hashed.turn(settings.slice_ms, size) / limit);
  }
  std::printf("%6zu %9.0f %9.0f %6.2f %7.2f %9.0f %7.2f %8.0f %8.0f %8.0f %8.0f %6.1f\n", size,
              median(raw.rates()), median(store.rates()), median(ratios), target,
              median(hashed.rates()), median(hashed_ratios), store.latency_us(0.5),
              store.latency_us(0.99), raw.latency_us(0.5), raw.latency_us(0.99), store.cpu_us());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = settings_of(argc, argv);
  std::printf("%6s %9s %9s %6s %7s %9s %7s %8s %8s %8s %8s %6s\n", "group", "raw/s", "store/s",
              "ratio", "target", "hashed/s", "ratio", "p50 us", "p99 us", "raw p50", "raw p99",
              "cpu us");
  constexpr std::array targets{std::pair{1U, 0.8}, std::pair{8U, 0.7}, std::pair{64U, 0.3}};
  for (const auto& [size, ratio_min] : targets) {
    std::filesystem::remove_all(settings.dir);
    std::filesystem::create_directories(settings.dir);
    compete(settings, size, ratio_min);
  }
  std::filesystem::remove_all(settings.dir);
  return 0;
}
