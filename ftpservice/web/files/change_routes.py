"""Changes of files and directories: create, rename, delete."""

from __future__ import annotations

from typing import Any

from ftpservice.commands.upload_resumption import remove_file
from ftpservice.events import FileChanged
from ftpservice.storage.interfaces import MaskedMode
from ftpservice.storage.links import lstat
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, body
from ftpservice.web.files.file_problems import account_of, refusals, virtual_path
from ftpservice.web.files.listing_routes import NDJSON
from ftpservice.web.files.response_stream import ResponseStream
from ftpservice.web.files.tree_removal import DirectoryTreeRemoval
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest
from ftpservice.wire.entry import Kind

__all__ = ["routes"]

routes = RouteTable()

ROOT_TEXT = "The root directory stays where it is."


@routes.add(
    "POST", "/files/directory", None, ANY, body=body(("path",), path="string"), errors=(409, 507)
)
async def make_directory(_parts: ApiParts, call: ApiCall) -> Any:
    """Create a directory, whose parent exists."""
    account, path = account_of(call), virtual_path(call.body["path"])
    context = account.context
    with refusals(account, "POST directory", path):
        mode = MaskedMode.of(0o777, context.parameters.umask)
        await context.storage.make_directory(path, mode)
    context.events.publish(FileChanged, "mkdir", str(path))
    return {}


@routes.add(
    "POST",
    "/files/rename",
    None,
    ANY,
    body=body(("path", "to"), path="string", to="string", replace="boolean"),
    errors=(409, 507),
)
async def rename_file(_parts: ApiParts, call: ApiCall) -> Any:
    """Rename or move a file or directory; with ``replace`` over a file of the new name."""
    account, path = account_of(call), virtual_path(call.body["path"])
    target = virtual_path(call.body["to"])
    if path.is_root or target.is_root:
        raise Problem(400, ROOT_TEXT)
    with refusals(account, "POST rename", path):
        replaces = bool(call.body.get("replace"))
        await account.context.storage.rename(path, target, replaces)
    account.context.events.publish(FileChanged, "rename", str(path), str(target))
    return {}


@routes.add(
    "POST",
    "/files/delete",
    None,
    ANY,
    body=body(("path",), path="string", recursive="boolean"),
    media=NDJSON,
    is_streamed=True,
    errors=(409,),
)
async def delete_file(_parts: ApiParts, call: ApiCall, request: WebRequest) -> None:
    """Delete a file or an empty directory; with ``recursive`` all that is in one, too.

    The answer has a line for each name that could not be deleted, and ``is_complete`` last.
    """
    account, path = account_of(call), virtual_path(call.body["path"])
    context = account.context
    if path.is_root:
        raise Problem(400, ROOT_TEXT)
    with refusals(account, "POST delete", path):
        entry = await lstat(context.storage, path)
        is_directory = entry.kind is Kind.DIRECTORY
        removes_tree = is_directory and bool(call.body.get("recursive"))
        if is_directory and not removes_tree:
            await context.storage.remove_directory(path)
        elif not is_directory:
            await remove_file(context, path)
    if not removes_tree:
        context.events.publish(FileChanged, "rmdir" if is_directory else "delete", str(path))
    request.setHeader(b"Content-Type", NDJSON.encode())
    stream = ResponseStream(request, context.services)
    deleted, failed = int(not removes_tree), 0
    if removes_tree:
        removal = DirectoryTreeRemoval(account, stream)
        await removal.remove(path)
        deleted, failed = removal.deleted, removal.failed
    await stream.write_line({"deleted": deleted, "failed": failed, "is_complete": not failed})
    stream.finish()
