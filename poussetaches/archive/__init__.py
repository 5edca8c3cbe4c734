"""Tasks in files, as public JSON: the lines of an export, the first ancestor's files.

With ``schema`` the only one that knows public field names. Times are posix seconds of
the wall clock; the ancestor's are nanoseconds.
"""

from poussetaches.archive.ancestor import read_ancestor_file, sealed
from poussetaches.archive.fields import HowLine, ReportLine, SpecialLine
from poussetaches.archive.lines import (
    FORMAT,
    LIVE,
    Head,
    ScheduleLine,
    TaskLine,
    head_line,
    read_line,
    schedule_line,
    task_line,
)

__all__ = [
    "FORMAT",
    "LIVE",
    "Head",
    "HowLine",
    "ReportLine",
    "ScheduleLine",
    "SpecialLine",
    "TaskLine",
    "head_line",
    "read_ancestor_file",
    "read_line",
    "schedule_line",
    "sealed",
    "task_line",
]
