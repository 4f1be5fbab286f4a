"""How fast, and at what cost: each part in a process of its own, measured from outside."""
