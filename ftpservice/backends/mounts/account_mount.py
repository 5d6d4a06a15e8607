"""A mount of an account: ``/archive=local:/mnt/archive,read-only``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftpservice.wire.paths import VirtualPath

__all__ = ["READ_ONLY_WORD", "AccountMount", "check_mounts", "parse_mount"]

READ_ONLY_WORD = "read-only"
STORAGE_STRING = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class AccountMount:
    """A directory of the account's tree whose files are elsewhere."""

    path: str
    """Absolute, below the root of the account."""
    storage: str
    """A path below the service's root, or a storage string."""
    read_only: bool = False

    def __str__(self) -> str:
        """Return the text that `parse_mount` parses back."""
        return f"{self.path}={self.storage}" + (f",{READ_ONLY_WORD}" if self.read_only else "")


def parse_mount(text: str) -> AccountMount:
    """Parse a mount; raises `ValueError` with the reason."""
    if CONTROL.search(text):
        raise ValueError("a mount cannot have control characters")
    path, equals, storage = text.partition("=")
    path, storage = path.strip(), storage.strip()
    read_only = storage.endswith(f",{READ_ONLY_WORD}")
    storage = storage.removesuffix(f",{READ_ONLY_WORD}").strip()
    if not (equals and path.startswith("/") and storage):
        raise ValueError("expected a mount such as /archive=local:/mnt/archive[,read-only]")
    if "," in path or "," in storage:
        raise ValueError(
            f"a mount cannot have commas, but for ,{READ_ONLY_WORD} at its end: {text!r}"
        )
    if any(".." in one.split("/") for one in (path, storage) if one.startswith("/")):
        raise ValueError("a path contains '..'")
    place = VirtualPath.parse(path)
    if storage.startswith("/"):
        storage = str(VirtualPath.parse(storage))
    if place.is_root:
        raise ValueError("a mount cannot be at /; that is the root of the account")
    if not storage.startswith("/") and STORAGE_STRING.fullmatch(storage) is None:
        raise ValueError(
            f"the storage {storage!r} is neither a path below the root of the service nor a "
            "storage such as local:/mnt/archive"
        )
    return AccountMount(str(place), storage, read_only)


def check_mounts(mounts: tuple[AccountMount, ...]) -> None:
    """Raise `ValueError` for two mounts at the same path."""
    paths = [mount.path for mount in mounts]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"there are two mounts at {path!r}")
