#include "support.hpp"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace holdfast::store {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Executor Pump::executor() {
  return [this](std::function<void()> run) {
    {
      const std::lock_guard lock{mutex_};
      waiting_.push_back(std::move(run));
    }
    wake_.notify_one();
  };
}

bool Pump::run_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  std::unique_lock lock{mutex_};
  while (!done()) {
    if (!wake_.wait_until(lock, deadline, [&] { return !waiting_.empty(); })) return false;
    const auto run = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    run();
    lock.lock();
  }
  return true;
}

bool MemorySubject::run_until(const std::function<bool()>& done) {
  while (!done()) {
    if (store_.sync() == 0 && !store_.step_read()) return false;
  }
  return true;
}

SqliteSubject::SqliteSubject(StoreOptions options) : options_{std::move(options)} { reopen(); }

void SqliteSubject::reopen() {
  store_.reset();
  auto opened = open_sqlite_store(dir(), options_, pump_.executor());
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    std::abort();
  }
  store_ = std::move(*opened);
}

Result<core::Applied> commit(Subject& subject, core::Batch batch) {
  return await<core::Applied>(
      subject, [&](auto done) { subject.store().commit(std::move(batch), std::move(done)); });
}

core::Applied applied(Subject& subject, core::Batch batch) {
  auto result = commit(subject, std::move(batch));
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : core::Applied{};
}

Result<FramePage> frames(Subject& subject, FrameQuery query) {
  return await<FramePage>(
      subject, [&](auto done) { subject.store().read_frames(std::move(query), std::move(done)); });
}

Result<std::string> body(Subject& subject, core::Seq first_seq) {
  return await<std::string>(
      subject, [&](auto done) { subject.store().read_body(first_seq, std::move(done)); });
}

std::vector<core::Entry> entries(Subject& subject, EntryQuery query) {
  auto result = await<std::vector<core::Entry>>(
      subject, [&](auto done) { subject.store().read_entries(std::move(query), std::move(done)); });
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : std::vector<core::Entry>{};
}

Result<std::vector<EntryDetail>> send(Subject& subject, core::Seq first_seq) {
  return await<std::vector<EntryDetail>>(
      subject, [&](auto done) { subject.store().read_send(first_seq, std::move(done)); });
}

core::Recovered recovered(Subject& subject) {
  auto result = subject.store().recover();
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : core::Recovered{};
}

core::Batch batch(std::vector<core::Change> changes) {
  core::Batch made;
  made.changes = std::move(changes);
  return made;
}

core::Identity identity(std::uint64_t number) {
  core::Identity made{};
  made[0] = 1;  // never all zero
  for (std::size_t i = 0; i < 8; ++i) {
    made[made.size() - 1 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  return made;
}

core::AppendFrame frame(const std::string& account, std::uint64_t number, std::string bytes) {
  core::Frame made;
  made.received_at_ms = 1'700'000'000'000 + static_cast<std::int64_t>(number);
  made.kind = core::FrameKind::data;
  made.identity = identity(number);
  made.bytes = std::make_shared<const std::string>(std::move(bytes));
  return {account, std::move(made)};
}

core::AddSend add_send(const std::string& account, std::vector<std::string> recipients,
                       std::optional<core::IdempotencyKey> key) {
  core::AddSend made;
  for (std::string& recipient : recipients) {
    core::Entry part;
    part.account = account;
    part.recipient = std::move(recipient);
    part.created_at_ms = 1'000;
    part.expires_at_ms = 2'000;
    part.provisional_timestamp = 1'001;
    made.entries.push_back(std::move(part));
  }
  made.body = R"({"message":"hello"})";
  made.key = std::move(key);
  return made;
}

core::UpdateEntry update(core::Entry entry, core::EntryState to, const std::string& why) {
  const core::EntryState from = entry.state;
  entry.state = to;
  return {std::move(entry), from, 1'500, why};
}

core::Entry entry(core::Seq seq, core::EntryState state) {
  core::Entry made;
  made.seq = made.first_seq = seq;
  made.account = ann;
  made.recipient = bob;
  made.state = state;
  return made;
}

std::int64_t sql(const std::filesystem::path& file, const std::string& statements) {
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  std::int64_t first = 0;
  char* words = nullptr;
  const int code = sqlite3_exec(
      db, statements.c_str(),
      [](void* out, int, char** columns, char**) {
        *static_cast<std::int64_t*>(out) = columns[0] == nullptr ? 0 : std::atoll(columns[0]);
        return 0;
      },
      &first, &words);
  EXPECT_EQ(code, SQLITE_OK) << (words == nullptr ? "" : words);
  sqlite3_free(words);
  sqlite3_close(db);
  return first;
}

std::string in_child(const std::function<std::string()>& body) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    const std::string said = body();
    std::size_t written = 0;
    while (written < said.size()) {
      const ssize_t count = ::write(pipe[1], said.data() + written, said.size() - written);
      if (count < 0) ::_exit(2);
      written += static_cast<std::size_t>(count);
    }
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 4'096> buffer{};
  for (ssize_t count = 1; count > 0;) {
    count = ::read(pipe[0], buffer.data(), buffer.size());
    if (count > 0) said.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) said += " (the child process died)";
  return said;
}

}  // namespace holdfast::store
