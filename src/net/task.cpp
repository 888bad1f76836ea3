#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/websocket/error.hpp>
#include <net/task.hpp>

namespace holdfast::net {
namespace {

Errc classify(const boost::system::error_code& ec) {
  namespace error = asio::error;
  namespace http = boost::beast::http;
  namespace websocket = boost::beast::websocket;
  if (ec == error::operation_aborted) return Errc::cancelled;
  if (ec == error::timed_out) return Errc::timed_out;
  if (ec == error::connection_refused || ec == error::access_denied ||
      ec == boost::system::errc::no_such_file_or_directory) {
    return Errc::refused;
  }
  if (ec.category() == error::get_netdb_category() ||
      ec.category() == error::get_addrinfo_category() || ec == error::network_unreachable ||
      ec == error::host_unreachable) {
    return Errc::unresolved;
  }
  if (ec == error::no_descriptors || ec == boost::system::errc::too_many_files_open_in_system ||
      ec == error::no_memory) {
    return Errc::unavailable;
  }
  if (ec == http::error::body_limit || ec == http::error::header_limit ||
      ec == http::error::buffer_overflow || ec == websocket::error::message_too_big ||
      ec == websocket::error::buffer_overflow) {
    return Errc::too_large;
  }
  if (ec == http::error::end_of_stream || ec == http::error::partial_message ||
      ec == websocket::error::closed || ec == asio::ssl::error::stream_truncated) {
    return Errc::closed;
  }
  static const boost::system::error_category& http_category =
      make_error_code(http::error::bad_line_ending).category();
  static const boost::system::error_category& websocket_category =
      make_error_code(websocket::error::bad_opcode).category();
  if (ec.category() == http_category || ec.category() == websocket_category ||
      ec.category() == error::get_ssl_category()) {
    return Errc::protocol;
  }
  return Errc::closed;
}

std::string describe(const boost::system::error_code& ec) {
  if (ec == asio::error::eof || ec == boost::beast::http::error::end_of_stream) {
    return "the peer closed the connection";
  }
  if (ec == boost::beast::http::error::partial_message ||
      ec == asio::ssl::error::stream_truncated) {
    return "the peer closed the connection in the middle of a message";
  }
  if (ec == asio::error::connection_refused) return "nobody listens there (connection refused)";
  if (ec == boost::system::errc::no_such_file_or_directory) {
    return "nobody listens there (no such file)";
  }
  return ec.message();
}

}  // namespace

Error to_error(const boost::system::error_code& ec, const std::string& doing) {
  return Error{classify(ec), doing + ": " + describe(ec)};
}

}  // namespace holdfast::net
