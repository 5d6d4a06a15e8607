"""How a browser is to treat a file: save it, or show it without any power over the page.

A file can claim to be anything, so its type is one of a short list, chosen by the end of its name;
`X-Content-Type-Options: nosniff` keeps browsers from guessing another one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["ATTACHMENT_POLICY", "View", "disposition", "view_of"]

ATTACHMENT_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
IN_FRAMES = "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
SANDBOXED = f"sandbox; default-src 'none'; style-src 'unsafe-inline'; {IN_FRAMES}"
PICTURE_POLICY = f"{SANDBOXED}; img-src 'self' data:"
TEXT_NAMES = (
    "asc bash bat c cc cfg conf cpp css csv diff eml go h hpp htm html ini java js json jsonl "
    "log lua md mjs patch php pl po properties ps1 py rb rs rst sh sql srt tex toml ts tsv txt "
    "vcf xhtml xml yaml yml"
)
TEXT_ENDS = frozenset(TEXT_NAMES.split())
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
UNSAFE = re.compile(r'[^\x20-\x7e]|["\\/%]')


@dataclass(frozen=True)
class View:
    """A type, and the Content-Security-Policy that it is shown with."""

    content_type: str
    policy: str


def view_of(name: str) -> View | None:
    """Return how a file is shown; None if it can only be saved."""
    end = name.rpartition(".")[2].lower() if "." in name else ""
    if end in TEXT_ENDS:
        return View("text/plain; charset=utf-8", SANDBOXED)
    kind = TYPES.get(end)
    if kind is None:
        return None
    return View(kind, SANDBOXED if end == "pdf" else PICTURE_POLICY)


def disposition(name: str, is_inline: bool = False) -> str:
    """Return the value of Content-Disposition (RFC 6266) that has the name of a file.

    What is no character, or changes the direction of text, is replaced: a browser shows the name.
    """
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    shown = "".join("_" if unicodedata.category(one) in ("Cc", "Cf") else one for one in shown)
    plain = UNSAFE.sub("_", unicodedata.normalize("NFKD", shown)) or "file"
    kind = "inline" if is_inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(shown or 'file', safe='')}"
