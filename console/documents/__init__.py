"""The documents made from code: schemas, fields, metrics."""
