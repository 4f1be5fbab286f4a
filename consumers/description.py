"""`petstream.html` under the name it had in 0.1; goes with 0.3."""

from petstream.html import rendered

__all__ = ["rendered"]
