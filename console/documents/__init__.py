"""Makes the documents that come from code: schemas, fields, metrics."""
