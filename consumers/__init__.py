"""From events to effects: Postgres, removals, the wanted pictures; opens no FTP."""
