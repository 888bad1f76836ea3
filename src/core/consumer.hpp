/// The unnamed consumer of one account: every plain client of `/v1/receive/{number}`, attached or
/// polling. They share one durable cursor; each gets every frame (design §2, G7).
#pragma once

#include <core/commits.hpp>
#include <core/effects.hpp>
#include <holdfast/message_buffer.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::core {

/// How much may be on its way to one client without its acknowledgement.
struct Window {
  std::size_t count_max = 256;
  std::size_t bytes_max = 1u << 20;  ///< one larger frame goes alone
};

class Consumer {
 public:
  static constexpr std::size_t ask_after_frames = 64;
  static constexpr Duration ask_after{50};

  /// Everything up to `cursor` has been acknowledged; frames up to `last_seq` are in the store.
  Consumer(LinkId link, std::string account, Seq cursor, Seq last_seq, Effects& effects,
           Commits& commits);

  /// A client begins where the cursor stands.
  void attach(ClientId client, Window window);
  /// It has gone: what it did not acknowledge holds nothing back any more.
  void detach(ClientId client);
  /// It acknowledged everything up to `seq` (a pong, or the kernel for a poll). A sequence that was
  /// not asked for is ignored.
  void acknowledged(ClientId client, Seq seq);

  /// Frames became durable, in order.
  void appended(const std::vector<Frame>& frames, Now now);
  /// An answer to `ReadFrames`: everything up to `read_up_to` was looked at.
  void page(ClientId client, const std::vector<Frame>& frames, Seq read_up_to, Now now);
  /// The read failed; it is tried again in a second.
  void page_failed(ClientId client, Now now);
  /// A frame that is not stored: for those who are attached and caught up.
  void ephemeral(const Frame& frame);

  void tick(Now now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  [[nodiscard]] Seq cursor() const noexcept { return cursor_; }
  [[nodiscard]] Seq last_seq() const noexcept { return last_; }
  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }
  /// Frames that nobody has acknowledged.
  [[nodiscard]] Seq lag() const noexcept { return last_ - cursor_; }

 private:
  struct Client {
    explicit Client(Window window);
    MessageBuffer<Seq> window;  ///< written or being written, not acknowledged
    Window limits;
    Seq next = 1;  ///< the first that it was not given
    Seq acked = 0;
    Seq asked = 0;            ///< the last that an acknowledgement was asked for
    std::size_t unasked = 0;  ///< frames given since
    std::optional<TimePoint> ask_by;
    std::optional<TimePoint> read_again_at;
    bool reading = false;
    bool full = false;  ///< the next frame did not fit; until an acknowledgement
  };

  bool give(ClientId id, Client& client, const Frame& frame, Now now);
  void pump(ClientId id, Client& client);
  void ask(ClientId id, Client& client);
  void advance();
  void save();

  LinkId link_;
  std::string account_;
  Seq cursor_;
  Seq saved_;
  Seq last_;
  bool saving_ = false;
  std::optional<TimePoint> save_again_at_;
  Effects& effects_;
  Commits& commits_;
  std::map<ClientId, Client> clients_;
};

}  // namespace holdfast::core
