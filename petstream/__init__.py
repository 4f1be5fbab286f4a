"""What outsiders rely on: events, topics, settings, metrics; a subscriber imports it."""
