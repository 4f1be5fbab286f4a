"""What only looks: status, one pet, two exports, a topic."""
