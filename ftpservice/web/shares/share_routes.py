"""What the API does with the share links of an account."""

from __future__ import annotations

from typing import Any

from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, array, body
from ftpservice.web.files.file_problems import account_of, refusals, virtual_path
from ftpservice.web.http.problems import Problem
from ftpservice.web.shares.share_file import Share
from ftpservice.web.shares.share_resource import SHARES_ROOT

__all__ = ["routes"]

routes = RouteTable()

MIN_SECONDS, MAX_SECONDS = 60, 10 * 366 * 86_400
MAX_PASSWORD_BYTES = 1024


def _shown(share: Share) -> dict[str, Any]:
    return {
        "id": share.id,
        "path": share.path,
        "created": share.created,
        "expires": share.expires,
        "password": bool(share.password),
    }


@routes.add(
    "POST",
    "/shares",
    None,
    ANY,
    body=body(("path", "expires"), path="string", expires="integer", password="string"),
    errors=(409, 507),
)
async def add_share(parts: ApiParts, call: ApiCall) -> Any:
    """Make a link to a file or folder, for that many seconds; its URL is told this once."""
    account, path = account_of(call), virtual_path(call.body["path"])
    seconds, password = call.body["expires"], call.body.get("password", "")
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise Problem(400, f"expires is a number of seconds from {MIN_SECONDS} to {MAX_SECONDS}.")
    if len(password.encode("utf-8", "surrogateescape")) > MAX_PASSWORD_BYTES:
        raise Problem(400, f"A password has at most {MAX_PASSWORD_BYTES} bytes.")
    with refusals(account, "POST shares", path):
        await account.context.storage.stat(path)
    secret, share = await parts.shares.add(call.caller.name, str(path), seconds, password)
    parts.publish_action(call, "share add", share.id, str(path))
    return _shown(share) | {"url": f"{SHARES_ROOT}/{secret}"}


@routes.add("GET", "/shares", None, array(ANY))
async def list_shares(parts: ApiParts, call: ApiCall) -> Any:
    """List the links of the account; their URLs are not known."""
    return [_shown(share) for share in await parts.shares.of(call.caller.name)]


@routes.add("DELETE", "/shares/{share}", None, ANY, errors=(409, 507))
async def remove_share(parts: ApiParts, call: ApiCall) -> Any:
    """Remove a link: it opens nothing from now on."""
    share = await parts.shares.remove(call.caller.name, call.path["share"])
    parts.publish_action(call, "share remove", share.id, share.path)
    return {"removed": share.id}
