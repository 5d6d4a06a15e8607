"""Relative paths among the values of settings: they start at the directory of the start."""

from __future__ import annotations

import os
from typing import Any

from ftpservice.accounts.account_record import is_storage_string
from ftpservice.service.settings.journal import NO_JOURNAL

__all__ = ["NO_SOCKET", "make_paths_absolute"]

NO_SOCKET = "none"
URL_MARK = "://"
PATHS = (
    *("data_dir", "certificate", "key", "client_ca", "log_file", "xferlog"),
    *("allow_networks", "deny_networks", "acme_ca_file"),
)


def make_paths_absolute(given: dict[str, Any], base: str) -> None:
    """Make the paths among values by field absolute; a daemon changes its directory later."""

    def absolute(path: str) -> str:
        return os.path.abspath(os.path.join(base, path))

    if given.get("control_socket") not in (None, NO_SOCKET):
        given["control_socket"] = absolute(given["control_socket"])
    journal = given.get("journal")
    if journal not in (None, NO_JOURNAL) and URL_MARK not in journal:
        given["journal"] = absolute(journal)
    if given.get("root") is not None and not is_storage_string(given["root"]):
        given["root"] = absolute(given["root"])
    given |= {"hook": tuple(one.from_directory(base) for one in given.get("hook", ()))}
    for name in PATHS:
        value = given.get(name)
        if isinstance(value, tuple):
            given[name] = tuple(map(absolute, value))
        elif value is not None:
            given[name] = absolute(value)
