"""A mount of an account: ``/archive=local:/mnt/archive,read-only``, or with ``own-trash=7d``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftpservice.storage.trash import NO_TRASH, TrashRule, parse_trash
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "READ_ONLY_WORD",
    "TRASH_WORD",
    "AccountMount",
    "check_mounts",
    "is_mount_word",
    "parse_mount",
]

READ_ONLY_WORD = "read-only"
TRASH_WORD = "own-trash"
TRASH_KEY = f"{TRASH_WORD}="
OFF_WORD = "off"
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
    trash: TrashRule | None = None
    """How long what is deleted there is kept; None: as below the root of the account."""

    def __str__(self) -> str:
        """Return the text that `parse_mount` parses back."""
        words = [READ_ONLY_WORD] if self.read_only else []
        if self.trash is not None:
            words.append(TRASH_KEY + (str(self.trash) if self.trash.seconds else OFF_WORD))
        return ",".join([f"{self.path}={self.storage}", *words])


def is_mount_word(word: str) -> bool:
    """Return whether a word of the options of an account belongs to the mount before it."""
    return word == READ_ONLY_WORD or word.startswith(TRASH_KEY)


def parse_mount(text: str) -> AccountMount:
    """Parse a mount; raises `ValueError` with the reason."""
    if CONTROL.search(text):
        raise ValueError("a mount cannot have control characters")
    path, equals, storage = text.partition("=")
    storage, *words = (part.strip() for part in storage.split(","))
    path, read_only, trash = path.strip(), *_options(words, text)
    if not (equals and path.startswith("/") and storage):
        raise ValueError("expected a mount such as /archive=local:/mnt/archive[,read-only]")
    if "," in path:
        raise ValueError(_no_commas(text))
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
    return AccountMount(str(place), storage, read_only, trash)


def _no_commas(text: str) -> str:
    return (
        f"a mount cannot have commas, but for ,{READ_ONLY_WORD} or ,{TRASH_KEY}7d at its end: "
        f"{text!r}"
    )


def _options(words: list[str], text: str) -> tuple[bool, TrashRule | None]:
    """Return what the word after a mount says; raises `ValueError`."""
    if not words or words == [READ_ONLY_WORD]:
        return bool(words), None
    if READ_ONLY_WORD in words and any(word.startswith(TRASH_KEY) for word in words):
        raise ValueError(f"nothing is deleted in a read-only mount: no {TRASH_KEY} there")
    if len(words) > 1 or not words[0].startswith(TRASH_KEY):
        raise ValueError(_no_commas(text))
    value = words[0].removeprefix(TRASH_KEY)
    if value == OFF_WORD:
        return False, NO_TRASH
    try:
        return False, parse_trash(value, OFF_WORD)
    except ValueError as error:
        raise ValueError(f"{TRASH_WORD}: {error}") from None


def check_mounts(mounts: tuple[AccountMount, ...]) -> None:
    """Raise `ValueError` for two mounts at the same path."""
    paths = [mount.path for mount in mounts]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"there are two mounts at {path!r}")
