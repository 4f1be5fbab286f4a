"""A row compared with the ledger: the event it is worth, or none."""
