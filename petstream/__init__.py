"""What everything outside a process relies on: events, topics, settings, metric names."""
