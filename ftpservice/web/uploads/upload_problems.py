"""Errors of uploads as problems, each with a word for programs in the member ``reason``."""

from __future__ import annotations

from ftpservice.storage import errors
from ftpservice.web.files.file_problems import problem_for
from ftpservice.web.http.problems import Problem

__all__ = ["problem_of_upload"]

TEXTS: dict[type[BaseException], str] = {
    errors.IsDirectory: "There is a directory of that name.",
    errors.PathNotFound: "There is no such directory.",
    errors.BadOffset: "What has arrived has another size; ask for it with HEAD.",
}
LOCKED = (errors.Busy, errors.BeingUploaded)
FULL = (errors.NoSpace, errors.QuotaExceeded)
DISCARDED_TEXT = "The bytes that arrived were discarded."


def problem_of_upload(error: BaseException, arrived: int = 0) -> Problem | None:
    """Return the problem of an error of a storage; None for an unexpected one.

    ``arrived`` are the bytes of the upload that were written before.
    """
    problem = problem_for(error)
    if problem is None:
        return None
    is_directory = isinstance(error, errors.IsDirectory)  # of the name of the file
    reason = "exists" if is_directory else problem.more["reason"]
    text = TEXTS.get(type(error), problem.detail)
    if arrived and isinstance(error, FULL):
        text = f"{text} {DISCARDED_TEXT}"
    status = 423 if isinstance(error, LOCKED) else problem.status
    return Problem(status, text, reason=reason)
