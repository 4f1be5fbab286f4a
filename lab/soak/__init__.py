"""Many days in a row, with faults and restarts: are the tables right, and does nothing grow?"""
