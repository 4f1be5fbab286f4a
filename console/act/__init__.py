"""Changes something, when a person asks: removals, dead letters, replay, audit, purge."""
