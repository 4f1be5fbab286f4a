// Prints every event of petstream, with franz-go. `go run . -cloudevents` reads them with CloudEvents' SDK.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// login returns who we are, as `petstream env` sets it; nothing where Kafka asks nobody.
func login() []kgo.Opt {
	user := os.Getenv("PETSTREAM_KAFKA_SASL_USERNAME")
	if user == "" {
		return nil
	}
	auth := scram.Auth{User: user, Pass: os.Getenv("PETSTREAM_KAFKA_SASL_PASSWORD")}
	return []kgo.Opt{kgo.SASL(auth.AsSha512Mechanism())}
}

// typeAndSubject returns what a record is about: from its headers, or as the SDK reads it.
func typeAndSubject(record *kgo.Record, sdk bool) (string, string, error) {
	headers := map[string][]byte{}
	for _, header := range record.Headers {
		headers[header.Key] = header.Value
	}
	if !sdk {
		return string(headers["ce_type"]), string(headers["ce_subject"]), nil
	}
	event, err := cloudEvent(record)
	if err != nil {
		return "", "", err
	}
	return event.Type(), event.Subject(), event.Validate()
}

func main() {
	sdk := flag.Bool("cloudevents", false, "read with CloudEvents' SDK")
	flag.Parse()
	client, err := kgo.NewClient(append(login(),
		kgo.SeedBrokers(setting("PETSTREAM_KAFKA", "localhost:9092")),
		kgo.ConsumerGroup(setting("GROUP", "first-look-franz-go")),
		kgo.ConsumeRegex(),
		kgo.ConsumeTopics(`^petstream\..*\.v1$`),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.FetchMaxPartitionBytes(8<<20),
	)...)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for { // 8 seconds without a record end it; a service would go on for ever
		waiting, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		fetches := client.PollFetches(waiting)
		cancel()
		if fetches.NumRecords() == 0 {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) {
			typ, subject, err := typeAndSubject(record, *sdk)
			if err != nil {
				fmt.Printf("%s\t%d\t%d\tfailed:\t%.80s\n", record.Topic, record.Partition, record.Offset, err)
				return
			}
			fmt.Printf("%s\t%d\t%d\t%s\t%s\t%d\n", record.Topic, record.Partition, record.Offset, typ, subject, len(record.Value))
		})
	}
}
