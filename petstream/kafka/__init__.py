"""Kafka: clients, records read to the end, groups, topics, why it refuses us."""
