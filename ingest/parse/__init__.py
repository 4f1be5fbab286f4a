"""Bytes to rows, rows to pets and organisations."""
