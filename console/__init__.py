"""What a person touches: the command, the daemon, the pages, the embedded servers."""
