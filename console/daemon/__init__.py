"""`up`: the feed's watch and each consumer kept running as child processes; their health."""
