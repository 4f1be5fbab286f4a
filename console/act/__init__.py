"""What changes something: removals, dead letters, replay, audit, purge."""
