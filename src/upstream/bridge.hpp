/// A bridge as the gateway sees it: one account's way to Signal, whatever is spoken on the wire.
///
/// Owner: the deciding thread. Calls return at once; everything that happens is told to the
/// `BridgeListener`, on the same thread, never from inside a call. Each connection has a
/// generation, given by `dial()`; every event names the one it belongs to.
#pragma once

#include <core/failure.hpp>
#include <core/outcome.hpp>
#include <core/records.hpp>
#include <memory>
#include <net/http.hpp>
#include <string>

namespace holdfast::upstream {

class BridgeListener {
 public:
  virtual ~BridgeListener() = default;
  /// The connection stands and the bridge has answered on it (design §1).
  virtual void on_answered(core::Generation generation, std::string bridge_version) = 0;
  /// An attempt failed, or a connection that stood was lost.
  virtual void on_lost(core::Generation generation, core::Failure failure) = 0;
  /// `identify()` finished; `note` is one sentence for the status where something is odd, else "".
  virtual void on_identified(core::Generation generation, std::string note) = 0;
  virtual void on_subscribed(core::Generation generation) = 0;
  /// May come before `on_answered()`, and for an older generation until it is hung up.
  virtual void on_frame(core::Generation generation, core::Frame frame) = 0;
  /// Any inbound byte.
  virtual void on_activity(core::Generation generation) = 0;
  /// The way out works, or why it does not.
  virtual void on_send_health(bool ok, std::string evidence) = 0;
  /// What came of `transmit()`: exactly once for each.
  virtual void on_outcome(core::Seq entry, core::SendOutcome outcome) = 0;
};

class Bridge {
 public:
  virtual ~Bridge() = default;

  /// Connects and asks until answered, within 10 s. `repeat_refused`: see `ConnectOptions`.
  virtual void dial(core::Generation generation, bool repeat_refused) = 0;
  /// Ends a connection; no further event of it.
  virtual void hang_up(core::Generation generation) = 0;
  virtual void identify(core::Generation generation) = 0;
  virtual void subscribe(core::Generation generation) = 0;
  /// Leaves the messages on Signal's server where the bridge can do that, else stops reading. What
  /// was on its way is still told. While reading is stopped, a probe is answered by the bridge
  /// itself: the silence is our own doing.
  virtual void pause(core::Generation generation) = 0;
  virtual void resume(core::Generation generation) = 0;
  /// Asks for a sign of life (a ping, `version`); any byte that comes is one.
  virtual void probe(core::Generation generation) = 0;

  /// Makes the call of an entry. `body` is the JSON that the entry was accepted with, in
  /// signal-cli-rest-api's shape.
  virtual void transmit(core::Entry entry, std::string body) = 0;

  /// Carries a request of the compatible face that is no send: proxied to a REST bridge, translated
  /// for a JSON-RPC one (501 `unsupported` without counterpart), 503 while the bridge is away.
  virtual net::Task<net::HttpResponse> forward(net::HttpRequest request) = 0;

  /// Ends everything; outstanding transmissions get their outcome (`ambiguous` if written).
  virtual void stop() = 0;
};

}  // namespace holdfast::upstream
