"""Pets and organisations in their tables, their history, and who left."""
