import io.tus.java.client.ProtocolException;
import io.tus.java.client.TusClient;
import io.tus.java.client.TusExecutor;
import io.tus.java.client.TusURLStore;
import io.tus.java.client.TusUpload;
import io.tus.java.client.TusUploader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/**
 * Uploads a file with tus-java-client. Prints each event as a line of JSON.
 *
 * <p>Arguments: the URL that creates uploads, the file, the file that remembers URLs, and how often
 * to retry. If the upload is interrupted once more, exits with 1; the next run resumes it.
 */
public final class Upload {
  public static void main(String[] args) throws Exception {
    var client = new TusClient();
    client.setUploadCreationURL(URI.create(args[0]).toURL());
    client.enableResuming(new FileURLStore(Path.of(args[2])));
    var upload = new TusUpload(new File(args[1]));

    var executor =
        new TusExecutor() {
          @Override
          protected void makeAttempt() throws ProtocolException, IOException {
            TusUploader uploader = client.resumeOrCreateUpload(upload);
            report("started", "offset", uploader.getOffset());
            try {
              while (uploader.uploadChunk() > -1) {}
              uploader.finish();
            } catch (ProtocolException | IOException e) {
              report("interrupted", "error", quoted(e.toString()));
              throw e;
            }
            report("uploaded", "url", quoted(uploader.getUploadURL().toString()));
          }
        };
    // Each 0 is a retry without a delay.
    executor.setDelays(new int[Integer.parseInt(args[3])]);
    try {
      executor.makeAttempts();
    } catch (IOException e) {
      System.exit(1);
    }
  }

  private static void report(String event, String name, Object value) {
    System.out.printf("{\"event\":\"%s\",\"%s\":%s}%n", event, name, value);
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  /** Remembers the URLs of uploads in a file. The library's own store lives in memory only. */
  private record FileURLStore(Path path) implements TusURLStore {
    @Override
    public void set(String fingerprint, URL url) {
      var urls = read();
      urls.setProperty(fingerprint, url.toString());
      write(urls);
    }

    @Override
    public URL get(String fingerprint) {
      var url = read().getProperty(fingerprint);
      try {
        return url == null ? null : URI.create(url).toURL();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void remove(String fingerprint) {
      var urls = read();
      urls.remove(fingerprint);
      write(urls);
    }

    private Properties read() {
      var urls = new Properties();
      try {
        if (Files.exists(path)) {
          try (var in = Files.newInputStream(path)) {
            urls.load(in);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return urls;
    }

    private void write(Properties urls) {
      try (var out = Files.newOutputStream(path)) {
        urls.store(out, null);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
