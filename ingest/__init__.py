"""From the FTP files to events: reads the feed, knows the topics, opens no database."""

from ingest import compiled as _before_the_modules  # noqa: F401  it decides in which form they load
