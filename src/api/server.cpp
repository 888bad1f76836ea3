#include <api/context.hpp>
#include <api/page.hpp>
#include <api/replies.hpp>
#include <api/routes.hpp>
#include <api/server.hpp>

namespace holdfast::api {
namespace {

/// Asynchronous endpoints; nothing for one that answers at once.
std::optional<Handled> start_waiting(const ContextPtr& context, net::Exchange& exchange,
                                     const Route& route) {
  switch (route.endpoint) {
    case Endpoint::send_v2:
    case Endpoint::send_v1:
      return handle_send(context, exchange, route.endpoint, "");
    case Endpoint::reactions:
    case Endpoint::receipts:
    case Endpoint::remote_delete:
      if (!context->daemon->find(route.argument)) return std::nullopt;
      return handle_send(context, exchange, route.endpoint, route.argument);
    case Endpoint::receive: {
      const auto link = context->daemon->find(route.argument);
      if (!link) return std::nullopt;
      if (exchange.request().is_websocket_upgrade())
        return handle_receive(context, exchange, *link);
      return handle_poll(context, exchange, *link);
    }
    case Endpoint::forward:
      return handle_forward(context, exchange);
    case Endpoint::events:
      return handle_events(context, exchange);
    case Endpoint::outbox:
      return handle_outbox(context, exchange);
    case Endpoint::outbox_entry:
      return handle_outbox_entry(context, route.argument);
    default:
      return std::nullopt;
  }
}

net::HttpResponse answer_now(gateway::Daemon& daemon, const net::HttpRequest& request,
                             const Route& route) {
  switch (route.endpoint) {
    case Endpoint::about:
      return about(daemon);
    case Endpoint::health:
      return no_content();
    case Endpoint::status:
      return status(daemon);
    case Endpoint::links:
      return links(daemon);
    case Endpoint::link:
      return link(daemon, route.argument);
    case Endpoint::retry:
      return retry(daemon, route.argument);
    case Endpoint::healthz:
      return healthz();
    case Endpoint::readyz:
      return readyz(daemon, request.query("links") == "1");
    case Endpoint::page:
      return page_response(page_html, "text/html");
    case Endpoint::page_style:
      return page_response(page_css, "text/css");
    case Endpoint::page_script:
      return page_response(page_js, "text/javascript");
    default:
      return unknown_account();  // of a path that names one
  }
}

/// The same address without its trailing slash: 301, and 307 where the method must stay.
net::HttpResponse redirect(const net::HttpRequest& request, const std::string& prefix) {
  std::string path = request.raw_path();
  const std::string query = request.target.substr(path.size());
  while (path.ends_with('/')) path.pop_back();
  net::HttpResponse response;
  response.status = request.method == "GET" ? 301 : 307;
  response.headers.emplace_back("Location", prefix + path + query);
  return response;
}

Handled handle(ContextPtr context, net::Exchange& exchange) {
  Guard::Admission admission = context->guard.admit(exchange.request());
  if (admission.refusal) co_return std::move(admission.refusal);
  const net::HttpRequest& request = exchange.request();
  const Route route = find_route(request.raw_path());
  if (route.endpoint == Endpoint::none)
    co_return error_response(404, "not_found", "there is nothing at this path");
  if (route.endpoint == Endpoint::redirect) co_return redirect(request, admission.prefix);
  if (!takes(route, request.method)) {
    net::HttpResponse refusal =
        error_response(405, "method_not_allowed",
                       "this path takes " + std::string{route.methods} + ", not " + request.method);
    refusal.headers.emplace_back("Allow", route.methods);
    co_return refusal;
  }
  auto waiting = start_waiting(context, exchange, route);
  if (waiting) co_return co_await std::move(*waiting);
  co_return answer_now(*context->daemon, request, route);
}

}  // namespace

struct Server::Impl {
  ContextPtr context;
  std::unique_ptr<net::HttpServer> http;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

Server::~Server() {
  stop();
  impl_->context->daemon = nullptr;
}

std::uint16_t Server::port() const { return impl_->http->port(); }

void Server::stop() {
  if (impl_->context->stopping) return;
  impl_->context->stopping = true;
  impl_->http->stop();
  const auto lasting = impl_->context->lasting;
  for (Lasting* answer : lasting) answer->end();
}

Result<std::unique_ptr<Server>> start_server(gateway::Daemon& daemon) {
  auto context = std::make_shared<Context>(daemon);
  auto http =
      net::listen_http(daemon.io(), daemon.config().listen, net::HttpServerOptions{},
                       [context](net::Exchange& exchange) { return handle(context, exchange); });
  if (!http) return http.error();
  auto impl = std::make_unique<Server::Impl>();
  impl->context = std::move(context);
  impl->http = std::move(*http);
  return std::unique_ptr<Server>{new Server{std::move(impl)}};
}

}  // namespace holdfast::api
