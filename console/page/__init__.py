"""The pages of the console: how everything stands, for a person with a browser."""
