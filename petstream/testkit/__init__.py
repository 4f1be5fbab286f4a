"""A subscriber put to the test: hostile streams of events, and what it shows at the end."""

from petstream.testkit.check import Finding, ReadableLog, Record, Report, Subscriber, check

__all__ = ["Finding", "ReadableLog", "Record", "Report", "Subscriber", "check"]
