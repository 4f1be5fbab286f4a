"""Checks settings, FTP, Kafka, Postgres and the picture store, and says how to mend them."""
