"""From events to effects: Postgres, removals, the wanted pictures. Opens no FTP."""
