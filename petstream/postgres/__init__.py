"""Postgres: what its URL may say."""
