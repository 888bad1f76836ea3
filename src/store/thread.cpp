#include <core/assert.hpp>
#include <csignal>
#include <memory>
#include <store/thread.hpp>

namespace holdfast::store {
namespace {

constexpr std::size_t stack_bytes = 256 << 10;

struct Start {
  const char* name;
  std::function<void()> body;
};

void* run(void* argument) {
  const std::unique_ptr<Start> start{static_cast<Start*>(argument)};
  pthread_setname_np(pthread_self(), start->name);
  start->body();
  return nullptr;
}

}  // namespace

Thread::Thread(const char* name, std::function<void()> body) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto start = std::make_unique<Start>(Start{name, std::move(body)});
  const int failed = pthread_create(&thread_, &attributes, run, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  HF_ASSERT(failed == 0);
  static_cast<void>(start.release());
}

Thread::~Thread() { pthread_join(thread_, nullptr); }

void Gate::enter() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return !closed_; });
  inside_ = true;
}

void Gate::leave() {
  {
    const std::lock_guard lock{mutex_};
    inside_ = false;
  }
  changed_.notify_all();
}

void Gate::close() {
  std::unique_lock lock{mutex_};
  closed_ = true;
  changed_.wait(lock, [&] { return !inside_; });
}

void Gate::open() {
  {
    const std::lock_guard lock{mutex_};
    closed_ = false;
  }
  changed_.notify_all();
}

}  // namespace holdfast::store
