"""Reads and shows, changes nothing: status, one pet, two exports, a topic, dead letters."""
