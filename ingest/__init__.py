"""From the FTP files to events: reads the feed, knows the topics, opens no database."""
