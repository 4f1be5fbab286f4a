"""A consumer looked at or changed from outside: lag, replay, redrive, purge."""
