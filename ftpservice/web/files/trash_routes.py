"""What an account has deleted and overwritten: the list, and restoring a file."""

from __future__ import annotations

from typing import Any

from ftpservice.commands.undelete import restore_and_tell
from ftpservice.retention.trash_requests import trashed_json
from ftpservice.storage.trash import ITrash, find_trashed
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, array, body
from ftpservice.web.files.file_problems import account_of, refusals, virtual_path
from ftpservice.web.files.listing_routes import PATH_QUERY
from ftpservice.wire.paths import ROOT

__all__ = ["MAX_TRASHED", "routes"]

routes = RouteTable()

MAX_TRASHED = 1000
"""Files in one answer."""
TRASH = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "keeps": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "files": array(ANY),
        "is_complete": {"type": "boolean"},
    },
}


@routes.add("GET", "/files/trash", None, TRASH, query=PATH_QUERY, errors=(409,))
async def list_trash(_parts: ApiParts, call: ApiCall) -> Any:
    """List what the account has deleted and overwritten at a path or below, the latest first.

    ``keeps`` is how many seconds what is deleted now is kept; null: it is not.
    """
    account = account_of(call)
    path = virtual_path(call.query["path"]) if "path" in call.query else ROOT
    trash = ITrash(account.context.storage, None)
    with refusals(account, "GET trash", path):
        found = [] if trash is None else await trash.trashed(path)
    rule = None if trash is None else trash.rule
    return {
        "path": str(path),
        "keeps": None if rule is None else rule.seconds,
        "files": [trashed_json(one) for one in found[:MAX_TRASHED]],
        "is_complete": len(found) <= MAX_TRASHED,
    }


@routes.add(
    "POST",
    "/files/undelete",
    None,
    ANY,
    body=body(("id",), id="string", path="string", to="string", replace="boolean"),
    errors=(409, 507),
)
async def undelete_file(_parts: ApiParts, call: ApiCall) -> Any:
    """Restore a file of the trash, as ``to`` or under its own name; directories are created again.

    ``path`` is where to look for it. With ``replace`` over a file, which is kept in turn.
    """
    account, given = account_of(call), call.body
    path = virtual_path(given["path"]) if "path" in given else None
    target = virtual_path(given["to"]) if "to" in given else None
    context = account.context
    with refusals(account, "POST undelete", target or path or given["id"]):
        found = await find_trashed(context.storage, path, given["id"])
        restored = await restore_and_tell(context, found, target, bool(given.get("replace")))
    return {"path": str(restored), "size": found.size}
