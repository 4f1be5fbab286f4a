"""A consumer looked at or changed from outside: groups, lag, replay, redrive, purge."""
