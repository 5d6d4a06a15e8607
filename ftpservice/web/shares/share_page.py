"""The pages of a share link: no scripts, and every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from ftpservice.wire.entry import Entry, Kind

__all__ = ["PAGE_POLICY", "file_page", "folder_page", "password_page", "quoted_name"]

PAGE_POLICY = (
    b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def _text(name: str) -> str:
    return escape(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def quoted_name(name: str) -> str:
    """Return a name as it is in a URL."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="")


def _size(size: float) -> str:
    for unit in UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {UNITS[-1]}"


def _page(title: str, content: str) -> bytes:
    head = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f'<title>{title}</title><link rel="stylesheet" href="/assets/share.css"></head>'
    )
    body = f'<body><main><h1 dir="auto">{title}</h1>{content}</main></body></html>\n'
    return (head + body).encode()


def password_page(is_wrong: bool) -> bytes:
    """Ask for the password."""
    problem = '<p class="problem" role="alert">The password is wrong.</p>' if is_wrong else ""
    return _page(
        "Shared files",
        f'{problem}<form method="post"><label>Password <input type="password" name="password" '
        'required autofocus autocomplete="off"></label><button>Open</button></form>',
    )


def file_page(name: str, size: int) -> bytes:
    """Offer a file."""
    link = '<a class="button" href="?download=1">Download</a>'
    return _page(_text(name), f"<p>{_size(size)}</p><p>{link}</p>")


def folder_page(name: str, place: str, entries: Sequence[Entry], is_complete: bool) -> bytes:
    """List a folder; ``place`` is its address, ending with a slash."""
    rows = "".join(_row(place, entry) for entry in entries)
    more = "" if is_complete else '<p class="problem">There are more files than are shown.</p>'
    empty = "" if rows else "<p>The folder is empty.</p>"
    return _page(_text(name) or "Shared files", f"{more}{empty}<ul>{rows}</ul>")


def _row(place: str, entry: Entry) -> str:
    address = escape(place + quoted_name(entry.name))
    if entry.kind is Kind.DIRECTORY:
        return f'<li><a dir="auto" href="{address}/">{_text(entry.name)}/</a></li>'
    return (
        f'<li><a dir="auto" href="{address}?download=1">{_text(entry.name)}</a> '
        f"<span>{_size(entry.size)}</span></li>"
    )
