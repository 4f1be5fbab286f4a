"""Pictures wanted, fetched, made small, stored and announced."""
