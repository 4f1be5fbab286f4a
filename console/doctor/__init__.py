"""Settings, FTP, Kafka, Postgres and the picture store checked, and how to mend them."""
