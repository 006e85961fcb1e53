import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * DynamoDB Local in memory, on 127.0.0.1 alone and on a port the system chooses, for as long as another process lives.
 *
 * <p>Its own main listens on every interface, wants a port beforehand and outlives whoever started it.
 * Arguments: the process to live with, and the file to write the port into once requests are answered.
 */
public final class Launcher {
    private static final long LOOK_EVERY_MS = 200;

    public static void main(String[] args) throws Exception {
        Optional<ProcessHandle> owner = ProcessHandle.of(Long.parseLong(args[0]));
        Path portFile = Path.of(args[1]);

        DynamoDBProxyServer proxy =
                ServerRunner.createServerFromCommandLineArgs(
                        new String[] {"-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"});
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        ServerConnector connector = (ServerConnector) ((Server) field.get(proxy)).getConnectors()[0];
        connector.setHost("127.0.0.1");
        connector.setPort(0);
        connector.setAcceptQueueSize(256);
        proxy.start();

        Path written = Files.writeString(portFile.resolveSibling(portFile.getFileName() + ".new"), "" + connector.getLocalPort());
        Files.move(written, portFile, StandardCopyOption.ATOMIC_MOVE);

        while (owner.isPresent() && owner.get().isAlive() && !isZombie(args[0])) {
            Thread.sleep(LOOK_EVERY_MS);
        }
        Runtime.getRuntime().halt(0);
    }

    /** A killed process stays "alive" until its parent has asked for its exit code, which may never happen. */
    private static boolean isZombie(String pid) {
        try {
            return Files.readString(Path.of("/proc", pid, "stat")).contains(") Z ");
        } catch (java.io.IOException noSuchFileHere) {
            return false;
        }
    }

    private Launcher() {}
}
