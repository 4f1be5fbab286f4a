"""up: every part kept alive in one process tree, watched, and told over HTTP."""
