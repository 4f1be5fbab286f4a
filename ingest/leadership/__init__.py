"""One ingester at a time, proven to Kafka."""
