/// A stand-in for both kinds of Signal bridge, in one process: a pretended Signal service, with
/// signal-cli's JSON-RPC and signal-cli-rest-api's HTTP in front of it, and faults on demand.
/// `README.md` documents the control calls, the faults and the script.
///
/// Owner: the thread of the io_context. Everything ends with the object.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <bridge_sim/daemon.hpp>
#include <bridge_sim/rest.hpp>
#include <functional>
#include <memory>
#include <net/url.hpp>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::bridge_sim {

struct Options {
  std::vector<std::string> accounts{"+15550001111"};
  /// Where the faces listen; port 0 takes a free one. A face without an address does not exist.
  std::optional<net::Endpoint> rest;
  std::vector<net::Endpoint> jsonrpc;  ///< TCP or UNIX, lines
  std::optional<net::Endpoint> jsonrpc_http;
  std::optional<net::Endpoint> control;

  ReceiveMode receive_mode = ReceiveMode::on_start;
  RestSettings rest_settings;
  std::string signal_cli_version = "0.14.6";
  bool delivery_receipts = false;  ///< see the fault "receipts"
  double rate = 0;                 ///< messages a second that come in for each account
  std::string script;              ///< the text of a script, or empty
  std::uint64_t seed = 1;          ///< of every random choice

  /// Told of each fault in one sentence, as it begins or ends.
  std::function<void(const std::string&)> on_event;
};

class BridgeSim {
 public:
  /// Listens everywhere and starts; an error names the address or the line of the script.
  [[nodiscard]] static Result<std::unique_ptr<BridgeSim>> start(asio::io_context& io,
                                                                Options options);
  BridgeSim(const BridgeSim&) = delete;
  BridgeSim& operator=(const BridgeSim&) = delete;
  ~BridgeSim();

  /// The real ports; 0 for a face that does not exist or listens on a UNIX socket.
  [[nodiscard]] std::uint16_t rest_port() const;
  [[nodiscard]] std::uint16_t jsonrpc_port(std::size_t index = 0) const;
  [[nodiscard]] std::uint16_t jsonrpc_http_port() const;
  [[nodiscard]] std::uint16_t control_port() const;

  // The control calls, as functions.
  [[nodiscard]] Result<json::object> inject(const json::object& request);
  [[nodiscard]] Result<json::object> fault(const json::object& request);
  [[nodiscard]] json::object state() const;
  [[nodiscard]] json::object sent(std::uint64_t after = 0) const;
  void forget_sent();

  struct Impl;

 private:
  explicit BridgeSim(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// The script of `holdfast demo`: traffic without end, and every kind of outage within two minutes.
[[nodiscard]] std::string demo_script();

}  // namespace holdfast::bridge_sim
