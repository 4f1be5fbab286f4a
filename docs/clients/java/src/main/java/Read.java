import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.KafkaMessageFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Prints every event of petstream; with --cloudevents as CloudEvents' SDK reads it. */
public class Read {
  public static void main(String[] arguments) throws IOException {
    boolean sdk = arguments.length > 0 && arguments[0].equals("--cloudevents");
    Properties settings = new Properties();
    String file = setting("KAFKA_CLIENT_PROPERTIES", ""); // who we are, as `petstream env` sets it
    if (!file.isEmpty()) {
      try (var reader = Files.newBufferedReader(Path.of(file))) {
        settings.load(reader);
      }
    }
    settings.put("bootstrap.servers", setting("PETSTREAM_KAFKA", "localhost:9092"));
    settings.put("group.id", setting("GROUP", "first-look-java"));
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    settings.put("max.partition.fetch.bytes", 8 << 20);
    var bytes = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<byte[], byte[]>(settings, bytes, bytes)) {
      consumer.subscribe(Pattern.compile("petstream\\..*\\.v1"));
      // 8 seconds without a record end it; a service would go on for ever
      for (long last = System.nanoTime(); System.nanoTime() - last < 8_000_000_000L; ) {
        for (var record : consumer.poll(Duration.ofMillis(500))) {
          last = System.nanoTime();
          System.out.println(describe(record, sdk));
        }
      }
    }
  }

  private static String describe(ConsumerRecord<byte[], byte[]> record, boolean sdk) {
    String place = record.topic() + "\t" + record.partition() + "\t" + record.offset() + "\t";
    try {
      String type = header(record, "ce_type");
      String subject = header(record, "ce_subject");
      if (sdk) {
        CloudEvent event = KafkaMessageFactory.createReader(record).toEvent();
        type = event.getType();
        subject = event.getSubject();
      }
      int size = record.value() == null ? 0 : record.value().length;
      return place + type + "\t" + subject + "\t" + size;
    } catch (RuntimeException error) { // what the SDK can't read is what this is here to show
      return place + "failed:\t" + error;
    }
  }

  private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
    return new String(record.headers().lastHeader(name).value());
  }

  private static String setting(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null ? otherwise : value;
  }
}
