"""Who left the feed, and whether that may be believed."""
