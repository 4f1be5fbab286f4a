"""Events and lifecycle announcements sent to Kafka, and acknowledged."""
