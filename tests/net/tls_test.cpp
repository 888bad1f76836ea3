#include <gmock/gmock.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl.hpp>
#include <cstdlib>
#include <net/http.hpp>
#include <net/lines.hpp>

#include "harness.hpp"

namespace holdfast::net::test {
namespace {

using testing::HasSubstr;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

/// A certificate that vouches for itself, for one name.
CertificatePtr make_certificate(EVP_PKEY* key, const std::string& name) {
  CertificatePtr certificate{X509_new(), X509_free};
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

/// A TLS server for "localhost"; only if `trusted`, its certificate is one that clients trust.
class TlsServer {
 public:
  TlsServer(Loop& loop, const std::string& name, bool trusted)
      : loop_{loop},
        context_{asio::ssl::context::tls_server},
        acceptor_{loop.io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}} {
    const KeyPtr key{EVP_EC_gen("P-256"), EVP_PKEY_free};
    const CertificatePtr certificate = make_certificate(key.get(), name);
    SSL_CTX_use_certificate(context_.native_handle(), certificate.get());
    SSL_CTX_use_PrivateKey(context_.native_handle(), key.get());
    if (trusted) trust(certificate.get());
  }
  [[nodiscard]] Endpoint endpoint() const {
    Endpoint endpoint;
    endpoint.kind = Endpoint::Kind::tls;
    endpoint.host = "localhost";
    endpoint.port = acceptor_.local_endpoint().port();
    return endpoint;
  }
  /// Accepts one connection and sends back each line.
  void echo_lines() { loop_.spawn(echo(this)); }
  [[nodiscard]] const std::string& name_asked_for() const { return name_asked_for_; }

  /// The file of trusted certificates; the client reads it when it first connects.
  static const std::string& trust_file() {
    static const std::string path = "/tmp/holdfast-net-" + std::to_string(::getpid()) + ".pem";
    return path;
  }

 private:
  static void trust(X509* certificate) {
    FILE* file = std::fopen(trust_file().c_str(), "w");
    ASSERT_NE(file, nullptr);
    PEM_write_X509(file, certificate);
    std::fclose(file);
    ::setenv("SSL_CERT_FILE", trust_file().c_str(), 1);
  }
  static Task<> echo(TlsServer* self) {
    auto [failed, socket] = co_await self->acceptor_.async_accept(as_result);
    asio::ssl::stream<tcp::socket> stream{std::move(socket), self->context_};
    const auto [refused] =
        co_await stream.async_handshake(asio::ssl::stream_base::server, as_result);
    if (const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name)) {
      self->name_asked_for_ = name;
    }
    std::array<char, 4096> piece;
    while (!refused) {
      const auto [ec, n] = co_await stream.async_read_some(asio::buffer(piece), as_result);
      if (ec) co_return;
      (void)co_await asio::async_write(stream, asio::buffer(piece.data(), n), as_result);
    }
  }

  Loop& loop_;
  asio::ssl::context context_;
  tcp::acceptor acceptor_;
  std::string name_asked_for_;
};

/// One test, because a process reads the file of trusted certificates once.
TEST(Tls, IsSpokenOnlyWithAPeerWhoseCertificateIsTrustedForItsName) {
  Loop loop;
  TlsServer server{loop, "localhost", true};
  server.echo_lines();
  auto lines = loop.run(connect_lines(server.endpoint(), ConnectOptions{}));
  ASSERT_TRUE(lines) << lines.error().message;
  for (const std::string& text : {std::string{"one"}, std::string(300'000, 'x')}) {
    Started<Result<void>> written{loop, (*lines)->write_line(text)};
    EXPECT_EQ(*loop.run((*lines)->read_line()), text);
    EXPECT_TRUE(written.wait());
  }
  EXPECT_EQ(server.name_asked_for(), "localhost");
  Started<Result<std::string>> read{loop, (*lines)->read_line()};
  loop.settle();
  lines->reset();  // while TLS reads
  EXPECT_EQ(read.wait().error().code, Errc::closed);

  TlsServer stranger{loop, "localhost", false};
  stranger.echo_lines();
  const auto untrusted = loop.run(connect_lines(stranger.endpoint(), ConnectOptions{}));
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().code, Errc::protocol);
  EXPECT_THAT(untrusted.error().message, HasSubstr("could not be verified"));

  server.echo_lines();
  Endpoint other_name = server.endpoint();
  other_name.host = "127.0.0.1";
  const auto wrong_name = loop.run(connect_lines(other_name, ConnectOptions{}));
  ASSERT_FALSE(wrong_name);
  EXPECT_THAT(wrong_name.error().message, HasSubstr("could not be verified"));
  ::unlink(TlsServer::trust_file().c_str());
}

TEST(Tls, GivesUpOnAPeerThatDoesNotSpeakIt) {
  Loop loop;
  RawServer server{loop};
  Endpoint endpoint = tcp_at(server.port());
  endpoint.kind = Endpoint::Kind::tls;
  ConnectOptions options;
  options.timeout = 100ms;
  Started<Result<ByteStreamPtr>> silent{loop, connect(endpoint, options)};
  RawPeer never_answers = server.accept();
  EXPECT_EQ(silent.wait().error().code, Errc::timed_out);

  Started<Result<ByteStreamPtr>> plain{loop, connect(endpoint, ConnectOptions{})};
  RawPeer speaks_http = server.accept();
  speaks_http.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(plain.wait().error().code, Errc::protocol);
}

}  // namespace
}  // namespace holdfast::net::test
