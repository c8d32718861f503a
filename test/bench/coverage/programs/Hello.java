import java.io.*;
import java.net.*;
import java.nio.file.*;

public class Hello {
    public static void main(String[] args) throws Exception {
        Files.writeString(Path.of("a"), "hello");
        Files.move(Path.of("a"), Path.of("b"));
        new String(Files.readAllBytes(Path.of("b")));
        try (var out = new RandomAccessFile("c", "rw")) { out.write(1); out.setLength(0); }
        Files.createDirectories(Path.of("d/e"));
        Files.copy(Path.of("b"), Path.of("d/e/b"));
        Files.delete(Path.of("d/e/b"));
        var process = new ProcessBuilder("sh", "-c", "cat > piped").start();
        try (var in = process.getOutputStream()) { in.write("child".getBytes()); }
        process.waitFor();
        try (var server = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            var thread = new Thread(() -> {
                try (var s = server.accept()) { s.getOutputStream().write("hi".getBytes()); } catch (IOException e) { throw new UncheckedIOException(e); }
            });
            thread.start();
            try (var s = new Socket("127.0.0.1", server.getLocalPort())) { s.getInputStream().readAllBytes(); }
            thread.join();
        }
        System.out.println("hello");
    }
}
