#include <stdlib.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <bridge_sim/bridge_sim.hpp>
#include <bridge_sim/control.hpp>
#include <bridge_sim/jsonrpc.hpp>
#include <bridge_sim/relay.hpp>
#include <bridge_sim/script.hpp>
#include <bridge_sim/values.hpp>
#include <map>
#include <net/http.hpp>
#include <net/lines.hpp>

namespace holdfast::bridge_sim {
namespace {

constexpr std::size_t http_body_bytes_max = 200u << 20;

/// A directory of our own for the sockets between the wires and the faces.
class PrivateDirectory {
 public:
  PrivateDirectory() {
    std::string pattern = "/tmp/bridge-sim-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }
  [[nodiscard]] bool exists() const noexcept { return !path_.empty(); }
  [[nodiscard]] net::Endpoint socket(const std::string& name) const {
    net::Endpoint endpoint;
    endpoint.kind = net::Endpoint::Kind::unix_socket;
    endpoint.host = path_ + "/" + name;
    return endpoint;
  }

 private:
  std::string path_;
};

struct Face {
  std::string name;  ///< "rest", "jsonrpc" or "http": what a fault's `face` selects
  std::unique_ptr<Relay> relay;
};

}  // namespace

struct BridgeSim::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& context, Options given) : io{context}, options{std::move(given)} {}

  Result<void> open();
  Result<void> open_rest();
  Result<void> open_jsonrpc();
  Result<void> open_jsonrpc_http();
  Result<void> open_control();
  void stop();

  Result<json::object> apply(const json::object& request);
  /// Faults of the wires; false if `kind` is none.
  bool apply_to_wires(const std::string& kind, const json::object& request);
  /// Faults that are settings of the daemon or the REST face; false if `kind` is none.
  Result<bool> apply_setting(const std::string& kind, const json::object& request);
  /// Ends a fault after `for_ms`, unless a later one of its kind has begun.
  void end_later(const std::string& kind, const json::object& request, std::function<void()> end);
  void clear();
  void tell(const std::string& sentence) const {
    if (options.on_event) options.on_event(sentence);
  }
  template <typename Do>
  void each_wire(const json::object& request, Do action) {
    const std::string wanted = text_of(request, "face");
    for (const Face& face : faces) {
      if (wanted.empty() || wanted == face.name) action(*face.relay);
    }
  }

  static net::Task<std::optional<net::HttpResponse>> control(std::shared_ptr<Impl> self,
                                                             net::Exchange& exchange) {
    if (!self || self->owner == nullptr) co_return rest_failure("the stand-in is ending", 503);
    auto response = co_await serve_control(self->owner, exchange);
    co_return response;
  }

  static net::Task<> run_script(std::shared_ptr<Impl> self, Script script);
  static net::Task<> run_line(std::shared_ptr<Impl> self, ScriptLine line,
                              std::chrono::steady_clock::time_point begin,
                              std::chrono::steady_clock::time_point end);
  static net::Task<> run_traffic(std::shared_ptr<Impl> self);
  void perform(const ScriptLine& line, std::uint64_t occurrence);

  asio::io_context& io;
  BridgeSim* owner = nullptr;
  Options options;
  PrivateDirectory directory;
  std::shared_ptr<Daemon> daemon;
  std::shared_ptr<RestSettings> rest_settings;
  std::vector<Face> faces;
  std::unique_ptr<net::HttpServer> rest_server;
  std::unique_ptr<net::HttpServer> rpc_http_server;
  std::unique_ptr<net::HttpServer> control_server;
  std::vector<std::unique_ptr<net::LineServer>> line_servers;
  std::map<std::string, std::uint64_t> fault_generations;
};

// --- Opening ------------------------------------------------------------------------------------

Result<void> BridgeSim::Impl::open() {
  if (options.accounts.empty()) return Error{Errc::invalid_argument, "no account is given"};
  if (!directory.exists()) return Error{Errc::unavailable, "cannot make a directory under /tmp"};
  Script script;
  if (!options.script.empty()) {
    auto parsed = parse_script(options.script);
    if (!parsed) return parsed.error();
    script = std::move(*parsed);
  }
  daemon = std::make_shared<Daemon>(io, World{options.accounts}, options.receive_mode,
                                    options.signal_cli_version, options.seed);
  daemon->faults.delivery_receipts = options.delivery_receipts;
  rest_settings = std::make_shared<RestSettings>(options.rest_settings);
  daemon->polling = options.rest && rest_settings->mode != "json-rpc";
  for (const auto step :
       {&Impl::open_rest, &Impl::open_jsonrpc, &Impl::open_jsonrpc_http, &Impl::open_control}) {
    auto opened = (this->*step)();
    if (!opened) return opened;
  }
  daemon->start();
  if (!script.lines.empty()) {
    asio::co_spawn(io, run_script(shared_from_this(), std::move(script)), asio::detached);
  }
  if (options.rate > 0) asio::co_spawn(io, run_traffic(shared_from_this()), asio::detached);
  return {};
}

Result<void> BridgeSim::Impl::open_rest() {
  if (!options.rest) return {};
  net::HttpServerOptions limits;
  limits.body_bytes_max = http_body_bytes_max;
  const auto inside = directory.socket("rest");
  auto server = net::listen_http(io, inside, limits,
                                 [d = daemon, settings = rest_settings](net::Exchange& exchange) {
                                   return serve_rest(d, settings, exchange);
                                 });
  if (!server) return server.error();
  auto relay = Relay::open(io, *options.rest, inside);
  if (!relay) return relay.error();
  rest_server = std::move(*server);
  faces.push_back(Face{"rest", std::move(*relay)});
  return {};
}

Result<void> BridgeSim::Impl::open_jsonrpc() {
  for (std::size_t i = 0; i < options.jsonrpc.size(); ++i) {
    const auto inside = directory.socket("lines" + std::to_string(i));
    auto server = net::listen_lines(io, inside, [d = daemon](net::LineStreamPtr lines) {
      return serve_lines(d, std::move(lines));
    });
    if (!server) return server.error();
    auto relay = Relay::open(io, options.jsonrpc[i], inside);
    if (!relay) return relay.error();
    line_servers.push_back(std::move(*server));
    faces.push_back(Face{"jsonrpc", std::move(*relay)});
  }
  return {};
}

Result<void> BridgeSim::Impl::open_jsonrpc_http() {
  if (!options.jsonrpc_http) return {};
  const auto inside = directory.socket("http");
  auto relay = Relay::open(io, *options.jsonrpc_http, inside);
  if (!relay) return relay.error();
  net::HttpServerOptions limits;
  limits.body_bytes_max = http_body_bytes_max;
  auto server = net::listen_http(io, inside, limits,
                                 [d = daemon, port = (*relay)->port()](net::Exchange& exchange) {
                                   return serve_rpc_over_http(d, exchange, port);
                                 });
  if (!server) return server.error();
  rpc_http_server = std::move(*server);
  faces.push_back(Face{"http", std::move(*relay)});
  return {};
}

Result<void> BridgeSim::Impl::open_control() {
  if (!options.control) return {};
  auto server = net::listen_http(io, *options.control, {},
                                 [weak = weak_from_this()](net::Exchange& exchange) {
                                   return control(weak.lock(), exchange);
                                 });
  if (!server) return server.error();
  control_server = std::move(*server);
  return {};
}

void BridgeSim::Impl::stop() {
  for (auto& [kind, generation] : fault_generations) ++generation;
  faces.clear();
  line_servers.clear();
  rest_server.reset();
  rpc_http_server.reset();
  control_server.reset();
  if (daemon) daemon->stop();
}

// --- Faults -------------------------------------------------------------------------------------

void BridgeSim::Impl::end_later(const std::string& kind, const json::object& request,
                                std::function<void()> end) {
  const std::uint64_t generation = ++fault_generations[kind];
  const auto for_ms = number_of(request, "for_ms");
  if (!for_ms) return;
  auto timer = std::make_shared<asio::steady_timer>(io, std::chrono::milliseconds{*for_ms});
  timer->async_wait([weak = weak_from_this(), kind, generation, timer,
                     end = std::move(end)](const boost::system::error_code&) {
    const auto self = weak.lock();
    if (!self || self->fault_generations[kind] != generation) return;
    end();
    self->daemon->changed.notify();
    self->tell("the bridge: end of " + kind);
  });
}

bool BridgeSim::Impl::apply_to_wires(const std::string& kind, const json::object& request) {
  const bool on = flag_of(request, "on", true);
  const auto toggle = [&](auto change) {
    each_wire(request, [&](Relay& relay) { change(relay, on); });
    const json::object copy = request;
    end_later(kind, request, [this, copy, change, on] {
      each_wire(copy, [&](Relay& relay) { change(relay, !on); });
    });
  };
  if (kind == "refuse") {
    toggle([](Relay& relay, bool value) { relay.refuse(value); });
  } else if (kind == "half_open") {
    toggle([](Relay& relay, bool value) { relay.stall(value); });
  } else if (kind == "accept_then_drop") {
    each_wire(request, [](Relay& relay) { relay.drop(false); });
    toggle([](Relay& relay, bool value) { relay.accept_then_drop(value); });
  } else if (kind == "drop") {
    const bool with_reset = flag_of(request, "reset");
    each_wire(request, [&](Relay& relay) { relay.drop(with_reset); });
  } else if (kind == "restart") {
    daemon->kill();
    each_wire(json::object{}, [](Relay& relay) { relay.refuse(true); });
    each_wire(json::object{}, [](Relay& relay) { relay.drop(false); });
    json::object timed = request;
    if (!timed.contains("for_ms")) timed["for_ms"] = 1'000;
    end_later(kind, timed, [this] {
      daemon->revive();
      each_wire(json::object{}, [](Relay& relay) { relay.refuse(false); });
    });
  } else {
    return false;
  }
  return true;
}

Result<bool> BridgeSim::Impl::apply_setting(const std::string& kind, const json::object& request) {
  const bool on = flag_of(request, "on", true);
  Faults& faults = daemon->faults;
  const auto toggle = [&](bool Faults::*setting) {
    faults.*setting = on;
    end_later(kind, request, [this, setting, on] { daemon->faults.*setting = !on; });
  };
  if (kind == "latency") {
    faults.latency = std::chrono::milliseconds{number_of(request, "ms").value_or(0)};
    faults.latency_jitter = std::chrono::milliseconds{number_of(request, "jitter_ms").value_or(0)};
    end_later(kind, request, [this] {
      daemon->faults.latency = daemon->faults.latency_jitter = std::chrono::milliseconds{0};
    });
  } else if (kind == "delivery_delay") {
    faults.delivery_delay = std::chrono::milliseconds{number_of(request, "ms").value_or(0)};
  } else if (kind == "duplicate") {
    faults.duplicate_next = static_cast<std::uint64_t>(number_of(request, "n").value_or(1));
  } else if (kind == "drop_when_busy") {
    toggle(&Faults::drop_when_busy);
  } else if (kind == "stall_receive") {
    toggle(&Faults::stalled_receive);
  } else if (kind == "hang_calls") {
    toggle(&Faults::hung_calls);
  } else if (kind == "receipts") {
    toggle(&Faults::delivery_receipts);
  } else if (kind == "malformed") {
    const std::string text = text_of(request, "text", R"({"envelope":{"source":"+15550009001",)");
    const std::string account = text_of(request, "account", options.accounts.front());
    const auto n = number_of(request, "n").value_or(1);
    for (std::int64_t i = 0; i < n; ++i) daemon->deliver_raw(account, text);
  } else if (kind == "account_unknown") {
    const std::string number = text_of(request, "account", options.accounts.front());
    Account* account = daemon->world.find_account(number);
    if (account == nullptr) return Error{Errc::not_found, "no account " + number};
    account->known = !on;
    end_later(kind, request, [account, on] { account->known = on; });
  } else if (kind == "rest") {
    rest_settings->mode = text_of(request, "mode", rest_settings->mode);
    rest_settings->version = text_of(request, "version", rest_settings->version);
    rest_settings->array_answers = flag_of(request, "array_answers", rest_settings->array_answers);
    daemon->polling = options.rest && rest_settings->mode != "json-rpc";
  } else {
    return false;
  }
  return true;
}

void BridgeSim::Impl::clear() {
  for (auto& [kind, generation] : fault_generations) ++generation;
  *rest_settings = options.rest_settings;
  daemon->polling = options.rest && rest_settings->mode != "json-rpc";
  daemon->clear_faults();
  daemon->revive();
  for (const Face& face : faces) {
    face.relay->refuse(false);
    face.relay->stall(false);
    face.relay->accept_then_drop(false);
  }
}

Result<json::object> BridgeSim::Impl::apply(const json::object& request) {
  const std::string kind = text_of(request, "kind");
  if (kind == "clear") {
    clear();
  } else if (auto plan = parse_plan(kind, request)) {
    daemon->set_plan(std::move(*plan));
    if (number_of(request, "for_ms")) {
      end_later(kind, request, [this] { daemon->faults.plans.clear(); });
    }
  } else if (!apply_to_wires(kind, request)) {
    auto applied = apply_setting(kind, request);
    if (!applied) return applied.error();
    if (!*applied) return Error{Errc::invalid_argument, "\"" + kind + "\" is no kind of fault"};
  }
  daemon->changed.notify();
  tell("the bridge: " + kind);
  return json::object{{"ok", true}};
}

// --- Script and traffic -------------------------------------------------------------------------

void BridgeSim::Impl::perform(const ScriptLine& line, std::uint64_t occurrence) {
  json::object request = line.request;
  if (const json::value* text = request.if_contains("text"); text != nullptr && text->is_string()) {
    std::string with_number = to_text(*text);
    if (const auto at = with_number.find("{i}"); at != std::string::npos) {
      with_number.replace(at, 3, std::to_string(occurrence));
    }
    request["text"] = with_number;
  }
  if (text_of(request, "group") == "first") {
    request["group"] = daemon->world.groups().front().id;
  }
  if (line.is_inject) {
    (void)daemon->world.inject(request);
    daemon->changed.notify();
  } else if (auto applied = apply(request); !applied) {
    tell("the bridge: " + applied.error().message);
  }
}

net::Task<> BridgeSim::Impl::run_line(std::shared_ptr<Impl> self, ScriptLine line,
                                      std::chrono::steady_clock::time_point begin,
                                      std::chrono::steady_clock::time_point end) {
  const auto daemon = self->daemon;
  std::uint64_t occurrence = 0;
  for (auto next = begin + line.at; next < end; next += line.every) {
    while (!daemon->stopped() && std::chrono::steady_clock::now() < next) {
      co_await daemon->changed.wait_until(next);
    }
    if (daemon->stopped()) co_return;
    self->perform(line, ++occurrence);
    if (line.every.count() == 0) co_return;
  }
}

net::Task<> BridgeSim::Impl::run_script(std::shared_ptr<Impl> self, Script script) {
  const auto daemon = self->daemon;
  auto begin = std::chrono::steady_clock::now();
  while (!daemon->stopped()) {
    const bool loops = script.loop.count() > 0;
    const auto end = loops ? begin + script.loop : std::chrono::steady_clock::time_point::max();
    for (const ScriptLine& line : script.lines) {
      asio::co_spawn(self->io, run_line(self, line, begin, end), asio::detached);
    }
    if (!loops) co_return;
    while (!daemon->stopped() && std::chrono::steady_clock::now() < end) {
      co_await daemon->changed.wait_until(end);
    }
    begin = end;
  }
}

net::Task<> BridgeSim::Impl::run_traffic(std::shared_ptr<Impl> self) {
  const auto daemon = self->daemon;
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t done = 0;
  while (!daemon->stopped()) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    const auto due = static_cast<std::uint64_t>(elapsed.count() * self->options.rate);
    for (; done < due; ++done) {
      for (const std::string& account : self->options.accounts) {
        const json::object request{{"account", account},
                                   {"text", "message " + std::to_string(done + 1)}};
        (void)daemon->world.inject(request);
      }
    }
    daemon->changed.notify();
    co_await pause(self->io, std::chrono::milliseconds{10});
  }
}

// --- The face of it -----------------------------------------------------------------------------

BridgeSim::BridgeSim(std::shared_ptr<Impl> impl) : impl_{std::move(impl)} { impl_->owner = this; }

BridgeSim::~BridgeSim() {
  impl_->owner = nullptr;
  impl_->stop();
}

Result<std::unique_ptr<BridgeSim>> BridgeSim::start(asio::io_context& io, Options options) {
  auto impl = std::make_shared<Impl>(io, std::move(options));
  std::unique_ptr<BridgeSim> sim{new BridgeSim{impl}};
  auto opened = impl->open();
  if (!opened) return opened.error();
  return sim;
}

namespace {
std::uint16_t port_of(const std::vector<Face>& faces, std::string_view name, std::size_t index) {
  for (const Face& face : faces) {
    if (face.name == name && index-- == 0) return face.relay->port();
  }
  return 0;
}
}  // namespace

std::uint16_t BridgeSim::rest_port() const { return port_of(impl_->faces, "rest", 0); }
std::uint16_t BridgeSim::jsonrpc_port(std::size_t index) const {
  return port_of(impl_->faces, "jsonrpc", index);
}
std::uint16_t BridgeSim::jsonrpc_http_port() const { return port_of(impl_->faces, "http", 0); }
std::uint16_t BridgeSim::control_port() const {
  return impl_->control_server ? impl_->control_server->port() : std::uint16_t{0};
}

Result<json::object> BridgeSim::inject(const json::object& request) {
  auto injected = impl_->daemon->world.inject(request);
  impl_->daemon->changed.notify();
  return injected;
}

Result<json::object> BridgeSim::fault(const json::object& request) { return impl_->apply(request); }

void BridgeSim::forget_sent() { impl_->daemon->world.forget_sent(); }

json::object BridgeSim::state() const {
  const Daemon& daemon = *impl_->daemon;
  json::array accounts;
  for (const auto& [number, account] : impl_->daemon->world.accounts()) {
    accounts.push_back(json::object{{"number", number},
                                    {"queued", account.queue.size()},
                                    {"injected", account.injected},
                                    {"delivered", account.delivered},
                                    {"lost", account.lost},
                                    {"dropped", account.dropped}});
  }
  json::array people;
  for (const Person& person : daemon.world.people()) {
    people.push_back(
        json::object{{"number", person.number}, {"uuid", person.uuid}, {"name", person.name}});
  }
  json::array groups;
  for (const Group& group : daemon.world.groups()) {
    groups.push_back(json::object{{"internal_id", group.id}, {"id", external_group_id(group.id)}});
  }
  json::array faces;
  for (const Face& face : impl_->faces) {
    faces.push_back(json::object{{"face", face.name},
                                 {"port", face.relay->port()},
                                 {"connections", face.relay->connections()}});
  }
  return {{"accounts", std::move(accounts)},
          {"people", std::move(people)},
          {"groups", std::move(groups)},
          {"faces", std::move(faces)},
          {"receivers", daemon.receivers()},
          {"calls_under_way", daemon.calls_under_way()},
          {"up", daemon.is_up()},
          {"plans", daemon.faults.plans.size()}};
}

json::object BridgeSim::sent(std::uint64_t after) const {
  json::array list;
  for (const Sent& sent : impl_->daemon->world.sent()) {
    if (sent.seq <= after) continue;
    list.push_back(json::object{{"seq", sent.seq},
                                {"account", sent.account},
                                {"op", sent.operation},
                                {"recipient", sent.recipient},
                                {"group", sent.group},
                                {"message", sent.message},
                                {"timestamp", sent.timestamp},
                                {"at", sent.at_ms},
                                {"params", sent.params}});
  }
  return {{"sent", std::move(list)}};
}

}  // namespace holdfast::bridge_sim
