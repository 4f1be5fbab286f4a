"""What somebody would write or take instead, on the same files and servers: measured by --peers."""
