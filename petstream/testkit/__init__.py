"""A subscriber put to the test: hostile streams of events, and what it shows at the end."""

from petstream.testkit.check import Finding, Record, Report, Subscriber, check

__all__ = ["Finding", "Record", "Report", "Subscriber", "check"]
