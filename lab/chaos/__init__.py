"""Many days through a daemon that is killed, filled up, and put back to older days."""
