"""A RescueGroups to practise on: seeded histories of exports, served over FTP, with pictures."""

from lab.simulator.export_files import export_files, write_export
from lab.simulator.faults import FAULTS
from lab.simulator.ftp_server import FtpAddress, serve_ftp
from lab.simulator.history import (
    DayChanges,
    Expected,
    History,
    Truth,
    expected,
    first_day_until,
    history,
)
from lab.simulator.picture_server import PictureAddress, serve_pictures
from lab.simulator.shapes import Row

__all__ = [
    "FAULTS",
    "DayChanges",
    "Expected",
    "FtpAddress",
    "History",
    "PictureAddress",
    "Row",
    "Truth",
    "expected",
    "export_files",
    "first_day_until",
    "history",
    "serve_ftp",
    "serve_pictures",
    "write_export",
]
