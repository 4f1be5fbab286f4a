"""Finds pets and organisations in the tables: for the pages, for `explain`, for programs."""
