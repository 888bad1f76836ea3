/// Threads and gates of the store.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <functional>
#include <mutex>

namespace holdfast::store {

/// A joining thread with a small stack (256 KiB) and every signal blocked: signals belong to the
/// deciding thread.
class Thread {
 public:
  /// `name`: at most 15 characters, as `top -H` shows it.
  Thread(const char* name, std::function<void()> body);
  /// Waits for the body to end; its owner has told it to.
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

 private:
  pthread_t thread_{};
};

/// A worker passes through while it works; the checkpointer closes the gate for a moment to have
/// the file for itself.
class Gate {
 public:
  /// Held by the worker while it uses the file. Waits while the gate is closed.
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_{gate} { gate_.enter(); }
    ~Pass() { gate_.leave(); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Gate& gate_;
  };
  /// Held by the checkpointer. Waits until the worker is outside.
  class Closed {
   public:
    explicit Closed(Gate& gate) : gate_{gate} { gate_.close(); }
    ~Closed() { gate_.open(); }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;

   private:
    Gate& gate_;
  };

 private:
  void enter();
  void leave();
  void close();
  void open();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false;
  bool closed_ = false;
};

}  // namespace holdfast::store
