"""Where pictures are kept: a directory, or a bucket of S3."""
