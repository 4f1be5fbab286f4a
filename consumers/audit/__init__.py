"""The tables compared with the folded log, and mended."""
