/// Durable appends a second against raw append + fdatasync, on the same disk in the same run.
///
///     store_bench [--dir DIR] [--seconds S] [--rounds N] [--group-records N] [--checkpoint-pages
///     N]
///
/// Each round runs the raw baseline and the store one after the other, at 1, 8 and 64 records per
/// sync; what counts is the ratio within a round, of which the median is printed. A record is one
/// frame of 1 KiB in a batch of its own; at 8 and 64, that many batches are submitted, and the next
/// ones after the last completion. "hashed" has identities without time in front (worst case).
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
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
  double seconds = 1.0;
  int rounds = 5;
  store::StoreOptions store;
};

struct Measured {
  double per_second = 0;
  double p50_us = 0,
         p99_us = 0;  ///< of one group, from the first submission to the last completion
};

/// Repeats `group` of `size` records for the time given.
template <typename Group>
Measured measure(double seconds, std::size_t size, Group group) {
  std::vector<double> latencies_us;
  const auto started = Clock::now();
  auto last = started;
  while (std::chrono::duration<double>(last - started).count() < seconds) {
    group(size);
    const auto now = Clock::now();
    latencies_us.push_back(std::chrono::duration<double, std::micro>(now - last).count());
    last = now;
  }
  std::ranges::sort(latencies_us);
  const double took = std::chrono::duration<double>(last - started).count();
  return {.per_second = static_cast<double>(latencies_us.size() * size) / took,
          .p50_us = latencies_us[latencies_us.size() / 2],
          .p99_us = latencies_us[latencies_us.size() * 99 / 100]};
}

Measured measure_raw(const Settings& settings, std::size_t size) {
  const std::filesystem::path file = settings.dir / "raw";
  const int fd = ::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const std::string payload(payload_bytes, 'x');
  const Measured measured = measure(settings.seconds, size, [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (::write(fd, payload.data(), payload.size()) < 0) std::abort();
    }
    if (::fdatasync(fd) != 0) std::abort();
  });
  ::close(fd);
  std::filesystem::remove(file);
  return measured;
}

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

Measured measure_store(const Settings& settings, std::size_t size, bool hashed) {
  const std::filesystem::path dir = settings.dir / "store";
  std::filesystem::remove_all(dir);
  Completions completions;
  Measured measured;
  {
    auto opened = store::open_sqlite_store(dir, settings.store, completions.executor());
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().message.c_str());
      std::exit(1);
    }
    store::Store& store = **opened;
    const auto payload = std::make_shared<const std::string>(payload_bytes, 'x');
    Identities identities{hashed};
    measured = measure(settings.seconds, size, [&](std::size_t count) {
      std::size_t done = 0;
      for (std::size_t i = 0; i < count; ++i) {
        core::Frame frame;
        frame.received_at_ms = 1'700'000'000'000;
        frame.kind = core::FrameKind::data;
        frame.identity = identities.next();
        frame.bytes = payload;
        core::Batch batch;
        batch.changes.push_back(core::AppendFrame{"+15550000001", std::move(frame)});
        store.commit(std::move(batch), [&](Result<core::Applied> applied) {
          if (!applied) std::abort();
          ++done;
        });
      }
      while (done < count) completions.run_one();
    });
  }
  std::filesystem::remove_all(dir);
  return measured;
}

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
    if (name == "--rounds") settings.rounds = std::atoi(value);
    if (name == "--group-records") {
      settings.store.group_records_max = static_cast<std::size_t>(std::atol(value));
    }
    if (name == "--checkpoint-pages") {
      settings.store.checkpoint_pages = static_cast<std::uint32_t>(std::atol(value));
    }
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = settings_of(argc, argv);
  std::filesystem::create_directories(settings.dir);
  struct Row {
    std::vector<double> raw, store, hashed, ratio, hashed_ratio, p50, p99, raw_p50, raw_p99;
  };
  std::map<std::size_t, Row> rows;
  for (int round = 0; round < settings.rounds; ++round) {
    for (const std::size_t size : {1U, 8U, 64U}) {
      const Measured raw = measure_raw(settings, size);
      const Measured store = measure_store(settings, size, false);
      const Measured hashed = measure_store(settings, size, true);
      Row& row = rows[size];
      row.raw.push_back(raw.per_second);
      row.store.push_back(store.per_second);
      row.hashed.push_back(hashed.per_second);
      row.ratio.push_back(store.per_second / raw.per_second);
      row.hashed_ratio.push_back(hashed.per_second / raw.per_second);
      row.p50.push_back(store.p50_us);
      row.p99.push_back(store.p99_us);
      row.raw_p50.push_back(raw.p50_us);
      row.raw_p99.push_back(raw.p99_us);
      std::fprintf(stderr, "round %d/%d, %zu per sync: raw %.0f/s, store %.0f/s (%.2f)\n",
                   round + 1, settings.rounds, size, raw.per_second, store.per_second,
                   store.per_second / raw.per_second);
    }
  }
  constexpr std::array target{std::pair{1U, 0.8}, std::pair{8U, 0.7}, std::pair{64U, 0.3}};
  std::printf("%6s %9s %9s %6s %7s %9s %7s %10s %10s %10s %10s\n", "group", "raw/s", "store/s",
              "ratio", "target", "hashed/s", "ratio", "p50 us", "p99 us", "raw p50", "raw p99");
  for (const auto& [size, ratio_min] : target) {
    const Row& row = rows[size];
    std::printf("%6u %9.0f %9.0f %6.2f %7.2f %9.0f %7.2f %10.0f %10.0f %10.0f %10.0f\n", size,
                median(row.raw), median(row.store), median(row.ratio), ratio_min,
                median(row.hashed), median(row.hashed_ratio), median(row.p50), median(row.p99),
                median(row.raw_p50), median(row.raw_p99));
  }
  std::filesystem::remove_all(settings.dir);
  return 0;
}
