"""What earlier runs published, restored from the topics."""
