package org.asamk.signal.manager.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import okhttp3.Interceptor;
import org.asamk.signal.manager.api.ServiceEnvironment;
import org.signal.libsignal.net.Network;
import org.signal.libsignal.protocol.ecc.ECPublicKey;
import org.whispersystems.signalservice.api.push.TrustStore;
import org.whispersystems.signalservice.internal.configuration.SignalCdnUrl;
import org.whispersystems.signalservice.internal.configuration.SignalCdsiUrl;
import org.whispersystems.signalservice.internal.configuration.SignalServiceConfiguration;
import org.whispersystems.signalservice.internal.configuration.SignalServiceUrl;
import org.whispersystems.signalservice.internal.configuration.SignalStorageUrl;
import org.whispersystems.signalservice.internal.configuration.SignalSvr2Url;

/**
 * Stands before the class of the same name in signal-cli and names the mock server where that one
 * names Signal's. The rest of signal-cli runs as it was released. Two properties say where: {@code
 * holdfast.service} (the mock server's https URL) and {@code holdfast.certs} (the folder with its
 * certificate and public keys). Without them nothing starts, so that no test can reach the real
 * service by mistake.
 */
final class LiveConfig {
  private static final String PASSWORD = "holdfast";

  static ServiceEnvironmentConfig getServiceEnvironmentConfig(List<Interceptor> interceptors) {
    try {
      return mockServer(
          property("holdfast.service"), Path.of(property("holdfast.certs")), interceptors);
    } catch (Exception e) {
      throw new IllegalStateException("cannot configure the mock server", e);
    }
  }

  private static ServiceEnvironmentConfig mockServer(
      String url, Path certs, List<Interceptor> interceptors) throws Exception {
    byte[] store = keyStoreWith(certs.resolve("ca-cert.pem"));
    TrustStore trust = new TrustStore() {
      @Override
      public InputStream getKeyStoreInputStream() {
        return new ByteArrayInputStream(store);
      }

      @Override
      public String getKeyStorePassword() {
        return PASSWORD;
      }
    };
    SignalCdnUrl[] cdn = {new SignalCdnUrl(url, trust)};
    JsonNode keys = new ObjectMapper().readTree(certs.resolve("zk-params.json").toFile());
    JsonNode root = new ObjectMapper().readTree(certs.resolve("trust-root.json").toFile());
    var configuration = new SignalServiceConfiguration(
        new SignalServiceUrl[] {new SignalServiceUrl(url, trust)}, Map.of(0, cdn, 2, cdn, 3, cdn),
        new SignalStorageUrl[] {new SignalStorageUrl(url + "/storageService", trust)},
        new SignalCdsiUrl[] {new SignalCdsiUrl(url, trust)},
        new SignalSvr2Url[] {new SignalSvr2Url(url, trust, null, null)}, interceptors,
        Optional.empty(), Optional.empty(), Optional.empty(),
        keys.get("publicParams").binaryValue(), keys.get("genericPublicParams").binaryValue(),
        keys.get("backupPublicParams").binaryValue(), false);
    return new ServiceEnvironmentConfig(ServiceEnvironment.LIVE, Network.Environment.STAGING,
        configuration, new ECPublicKey(root.get("publicKey").binaryValue()), "00", List.of("00"));
  }

  /**
   * A key store of the one type that the service library reads, with the mock server's authority
   * in it.
   */
  private static byte[] keyStoreWith(Path certificate) throws Exception {
    KeyStore store = KeyStore.getInstance("BKS");
    store.load(null, null);
    try (InputStream in = Files.newInputStream(certificate)) {
      store.setCertificateEntry(
          "mock", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    var bytes = new ByteArrayOutputStream();
    store.store(bytes, PASSWORD.toCharArray());
    return bytes.toByteArray();
  }

  private static String property(String name) {
    return Objects.requireNonNull(System.getProperty(name), name);
  }

  private LiveConfig() {}
}
