"""What every consumer runs in: poll, decode, handle, dead-letter, commit; and Postgres."""
