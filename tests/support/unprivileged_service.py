"""Runs ``ftpservice`` (or ``twistd``, if that is the first word) for tests that change its user.

Where that user cannot read Python or this checkout, for example below ``/root``, all modules are
loaded at the start, and the check that would refuse such an installation is left out.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

from twisted.scripts.twistd import run

import ftpservice
from ftpservice.admin.cli import main
from ftpservice.service import privileges

LEFT_OUT = (
    *("ftpservice.testing", "ftpservice.accounts.external", "ftpservice.accounts.sql"),
    "ftpservice.activity.journal.migrations",
)
CODECS = ("ascii", "idna", "latin_1", "utf_8")


def is_readable(path):
    """Return whether every user can read a file."""
    return all(one.stat().st_mode & 0o001 for one in Path(path).resolve().parents)


def load_all_modules():
    """Load what would be loaded when it is needed."""
    for name in CODECS:
        importlib.import_module(f"encodings.{name}")
    for module in pkgutil.walk_packages(ftpservice.__path__, "ftpservice."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)


if __name__ == "__main__":
    if not all(map(is_readable, privileges.MODULE_FILES)):
        load_all_modules()
        privileges.MODULE_FILES = ()
    if sys.argv[1] == "twistd":
        sys.argv[:2] = ["twistd"]
        run()
    else:
        main()
