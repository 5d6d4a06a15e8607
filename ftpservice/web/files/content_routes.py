"""Downloads of files, whole or in part, and of several files and folders as one archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ftpservice.storage.interfaces import IReading
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.files.archive_plan import ArchivePlan
from ftpservice.web.files.archive_stream import send_archive
from ftpservice.web.files.byte_ranges import (
    NOT_SATISFIABLE,
    Validators,
    precondition_status,
    requested_range,
)
from ftpservice.web.files.content_types import ATTACHMENT_POLICY, disposition, view_of
from ftpservice.web.files.file_problems import account_of, path_of, refusals, virtual_path
from ftpservice.web.files.response_stream import ResponseStream
from ftpservice.web.files.web_download import send_file_range
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import bytes_text

__all__ = ["MAX_DOWNLOADS", "routes", "send_file"]

routes = RouteTable()

MAX_DOWNLOADS = 16
"""Of one login at a time."""
MAX_ARCHIVES = 4
"""Of one account at a time: each holds the names and sizes of all its members in memory."""
MAX_PATHS = 1000
"""Of one archive."""
ZIP = "application/zip"
BYTES = "application/octet-stream"
BINARY = {"type": "string", "format": "binary"}
VIEW_QUERY = {
    "path": "The file.",
    "view": "1: to be shown by a browser, without scripts; only pictures, text and PDF.",
}


@routes.add(
    "GET",
    "/files/content",
    None,
    BINARY,
    query=VIEW_QUERY,
    media=BYTES,
    is_streamed=True,
    errors=(409, 412, 415, 416, 429),
)
async def get_content(_parts: ApiParts, call: ApiCall, request: WebRequest) -> None:
    """Send a file, or the range of bytes that is asked for."""
    account, path = account_of(call), path_of(call)
    await send_file(account, path, request, is_view=call.query.get("view") == "1")


async def send_file(
    account: AccountSession, path: VirtualPath, request: WebRequest, is_view: bool = False
) -> None:
    """Answer a GET or HEAD with a file; raises `Problem` before anything is sent.

    Whatever is raised later leaves the answer incomplete: the caller breaks the connection.
    """
    check_room(account)
    view = view_of(path.name) if is_view else None
    if is_view and view is None:
        raise Problem(415, "Only pictures, text and PDF can be shown; download the file.")
    with refusals(account, "GET content", path):
        reading = await account.context.storage.open_reading(path)
    try:
        part = _send_headers(request, reading)
    except BaseException:
        reading.close()
        raise
    request.setHeader(b"Cache-Control", b"private, no-cache")
    request.setHeader(b"Content-Disposition", disposition(path.name, is_view).encode())
    policy = ATTACHMENT_POLICY if view is None else view.policy
    request.setHeader(b"Content-Security-Policy", policy.encode())
    request.setHeader(b"Content-Type", (BYTES if view is None else view.content_type).encode())
    if view is not None:
        request.setHeader(b"X-Frame-Options", b"SAMEORIGIN")
    if part is None or request.method == b"HEAD":
        reading.close()
        request.finish()
        return
    stream = ResponseStream(request, account.context.services)
    await send_file_range(account, str(path), reading, part, stream)
    stream.finish()


def check_room(account: AccountSession) -> None:
    """Raise `Problem` if the login has too many transfers."""
    if len(account.transfers) >= MAX_DOWNLOADS:
        raise Problem(429, f"There are {MAX_DOWNLOADS} transfers of this login already.")


def _send_headers(request: WebRequest, reading: IReading) -> tuple[int, int] | None:
    """Set status and headers; return the part to be sent, None for nothing."""
    size, validators = reading.entry.size, Validators.of(reading.entry)
    request.setHeader(b"ETag", validators.tag.encode())
    request.setHeader(b"Last-Modified", validators.last_modified.encode())
    request.setHeader(b"Accept-Ranges", b"bytes")
    status = precondition_status(validators, request.getHeader)
    if status == 412:
        raise Problem(412, "The file has changed.")
    if status == 304:
        request.setResponseCode(304)
        return None
    part = None
    if validators.allows_range(request.getHeader("if-range")):
        part = requested_range(request.getHeader("range"), size)
    if part == NOT_SATISFIABLE:
        request.setHeader(b"Content-Range", b"bytes */%d" % size)
        raise Problem(416, f"The file has {bytes_text(size)}.")
    if part is None:
        part = (0, size)
    else:
        request.setResponseCode(206)
        request.setHeader(b"Content-Range", b"bytes %d-%d/%d" % (part[0], part[1] - 1, size))
    request.setHeader(b"Content-Length", b"%d" % (part[1] - part[0]))
    return part


@routes.add(
    "GET",
    "/files/zip",
    None,
    BINARY,
    query={"path": "A file or folder; may be given several times."},
    repeats="path",
    media=ZIP,
    is_streamed=True,
    errors=(409, 413, 429),
)
async def get_archive(parts: ApiParts, call: ApiCall, request: WebRequest) -> None:
    """Send files and folders as a ZIP archive, not compressed; what it lacks is in a text in it."""
    account = account_of(call)
    given = (request.args or {}).get(b"path", [])
    if not 0 < len(given) <= MAX_PATHS:
        raise Problem(400, f"The parameter 'path' is given 1 to {MAX_PATHS} times.")
    tops = [virtual_path(text.decode("utf-8", "surrogateescape")) for text in given]
    check_room(account)
    with _archive_place(parts.archives, account.context.account.name):
        await _send_archive(parts, account, tops, request)


@contextmanager
def _archive_place(archives: dict[str, int], user: str) -> Iterator[None]:
    """Count an archive that is made; raises `Problem` if an account has too many."""
    if archives.get(user, 0) >= MAX_ARCHIVES:
        raise Problem(429, f"There are {MAX_ARCHIVES} archives of this account already.")
    archives[user] = archives.get(user, 0) + 1
    try:
        yield
    finally:
        archives[user] -= 1
        if not archives[user]:
            del archives[user]


async def _send_archive(
    parts: ApiParts, account: AccountSession, tops: list[VirtualPath], request: WebRequest
) -> None:
    plan = ArchivePlan(account.context.storage, account.context.services)
    for top in tops:
        with refusals(account, "GET zip", top):
            await plan.add(top)
    plan.close()
    name = (tops[0].name or "files") if len(tops) == 1 else "files"
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Disposition", disposition(f"{name}.zip").encode())
    request.setHeader(b"Content-Security-Policy", ATTACHMENT_POLICY.encode())
    request.setHeader(b"Content-Type", ZIP.encode())
    request.setHeader(b"Content-Length", b"%d" % plan.size)
    if request.method == b"HEAD":
        request.finish()
        return
    stream = ResponseStream(request, account.context.services)
    await send_archive(account, plan, stream, parts.archive_pool)
    stream.finish()
