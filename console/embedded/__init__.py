"""A Kafka and a Postgres of our own: started, found again, stopped."""
