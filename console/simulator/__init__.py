"""A RescueGroups to practise on: seeded histories of exports, served over FTP, with pictures."""

from console.simulator.export_files import export_files, write_export
from console.simulator.faults import FAULTS
from console.simulator.ftp_server import FtpAddress, serve_ftp
from console.simulator.history import DayChanges, Expected, History, Truth, expected, history
from console.simulator.picture_server import PictureAddress, serve_pictures
from console.simulator.shapes import Row

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
    "history",
    "serve_ftp",
    "serve_pictures",
    "write_export",
]
