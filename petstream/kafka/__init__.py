"""The Kafka client: options, topics made, why it isn't let in."""
