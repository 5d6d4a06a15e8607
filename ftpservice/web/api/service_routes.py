"""What the API does with sessions, bans and the service itself."""

from __future__ import annotations

from typing import Any

from ftpservice import __version__
from ftpservice.accounts.defence.networks import is_in_networks, parse_network
from ftpservice.activity.admin_actions import BadRequest
from ftpservice.web.access.scopes import Scope
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.resource_state import hook_rows, quota_rows
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, BAN, ENDED, SESSION, array, body
from ftpservice.web.http.problems import Problem

__all__ = ["routes"]

routes = RouteTable()

MAX_QUOTAS = 100
OWN_ADDRESS_TEXT = "Your own address {} is in that network: a ban would lock you out."


@routes.add("GET", "/service", Scope.READ, ANY)
async def service_state(parts: ApiParts, call: ApiCall) -> Any:
    """Return version, start, counts, the state of journal, hooks and files, and who is calling."""
    rows = parts.live.rows()
    state = await parts.act("drain", call, ask=True)
    return {
        "version": __version__,
        "started": parts.started,
        "now": parts.seconds(),
        "accepts": state["accepts"],
        "sessions": len(rows),
        "transfers": sum(len(row["transfers"]) for row in rows),
        "journal": parts.past.status,
        "hooks": hook_rows(parts.hooks),
        "problems": await parts.state_problems(),
        "caller": call.caller.name,
        "scopes": sorted(call.caller.scopes),
    }


@routes.add("POST", "/service/drain", Scope.STEER, ANY, body=body(undo="boolean"))
async def drain(parts: ApiParts, call: ApiCall) -> Any:
    """Refuse new sessions and end the others after their transfers; undo accepts them again."""
    return await parts.act("drain", call, undo=call.body.get("undo", False))


@routes.add(
    "GET",
    "/sessions",
    Scope.READ,
    array(SESSION),
    query={"user": "Only of this account.", "address": "Only from this address."},
)
async def list_sessions(parts: ApiParts, call: ApiCall) -> Any:
    """List the sessions, each with its running transfers and the last one that ended."""
    return [
        row
        for row in parts.live.rows()
        if all(row[name] == value for name, value in call.query.items())
    ]


@routes.add("GET", "/sessions/{session}", Scope.READ, SESSION)
async def show_session(parts: ApiParts, call: ApiCall) -> Any:
    """Return one session."""
    row = parts.live.row(_number(call))
    if row is None:
        raise Problem(404, "There is no such session.")
    return row


@routes.add("DELETE", "/sessions/{session}", Scope.STEER, ENDED)
async def end_session(parts: ApiParts, call: ApiCall) -> Any:
    """End a session with 421; its transfer is aborted."""
    ended = await parts.act("kick", call, session=_number(call))
    if not ended:
        raise Problem(404, "There is no such session.")
    return ended


@routes.add("POST", "/sessions/end", Scope.STEER, ENDED, body=body(user="string", network="string"))
async def end_sessions(parts: ApiParts, call: ApiCall) -> Any:
    """End all sessions of an account or of a network; returns their numbers."""
    if len(call.body) != 1:
        raise Problem(400, "Give one of the members user and network.")
    return await parts.act("kick", call, **call.body)


@routes.add("GET", "/transfers", Scope.READ, array(SESSION))
async def list_transfers(parts: ApiParts, _call: ApiCall) -> Any:
    """List the sessions that have running transfers, with their progress."""
    return [row for row in parts.live.rows() if row["transfers"]]


@routes.add("GET", "/bans", Scope.READ, array(BAN))
async def list_bans(parts: ApiParts, call: ApiCall) -> Any:
    """List the bans in force."""
    return await parts.act("bans", call)


@routes.add(
    "POST",
    "/bans",
    Scope.STEER,
    BAN,
    body=body(("network",), network="string", duration="string", reason="string"),
    errors=(409,),
)
async def ban(parts: ApiParts, call: ApiCall) -> Any:
    """Ban an address or network, for a duration such as 2h or until it is lifted; not your own."""
    if _has_address(call.body["network"], call.peer):
        raise Problem(409, OWN_ADDRESS_TEXT.format(call.peer))
    found = await parts.act("ban", call, everywhere=True, **call.body)
    if parts.nodes is None:
        return found
    (own,) = (one for one in found["answers"] if one["node"] == parts.nodes.own)
    if "error" in own:
        raise BadRequest(own["error"])
    return own["result"]


@routes.add("POST", "/bans/lift", Scope.STEER, ANY, body=body(("network",), network="string"))
async def lift_ban(parts: ApiParts, call: ApiCall) -> Any:
    """Lift the ban of an address or network."""
    await parts.act("unban", call, network=call.body["network"])
    return {"lifted": call.body["network"]}


@routes.add(
    "GET",
    "/report",
    Scope.READ,
    array({"type": "string"}),
    query={"since": "As of REPORT.", "until": "As of REPORT.", "user": "Only of this account."},
)
async def report(parts: ApiParts, call: ApiCall) -> Any:
    """Return the lines of REPORT, of today by default."""
    return await parts.act("report", call, **call.query)


@routes.add("GET", "/certificates", Scope.READ, ANY)
async def certificates(parts: ApiParts, call: ApiCall) -> Any:
    """Return the certificates in use and the state of ACME."""
    return await parts.act("certificate", call)


@routes.add("POST", "/certificates/renew", Scope.STEER, ANY, body=body(force="boolean"))
async def renew_certificate(parts: ApiParts, call: ApiCall) -> Any:
    """Get a new certificate by ACME, if it is due or with force."""
    force = call.body.get("force", False)
    return await parts.act("certificate", call, renew=True, force=force)


@routes.add("GET", "/storage", Scope.READ, array(ANY))
async def storage_space(parts: ApiParts, _call: ApiCall) -> Any:
    """Return the total and free bytes of the file systems of the files and of the service."""
    return await parts.space()


@routes.add("GET", "/quotas", Scope.READ, array(ANY))
async def list_quotas(parts: ApiParts, _call: ApiCall) -> Any:
    """List the quotas of accounts that were in use since the start, the fullest first."""
    return quota_rows(parts.quotas, MAX_QUOTAS)


@routes.add("GET", "/quotas/{user}", Scope.READ, ANY)
async def show_quota(parts: ApiParts, call: ApiCall) -> Any:
    """Return what an account uses, and its quota."""
    return await parts.act("quota", call, user=call.path["user"])


@routes.add("POST", "/quotas/{user}/recount", Scope.STEER, ANY)
async def recount_quota(parts: ApiParts, call: ApiCall) -> Any:
    """Count the files of an account again; returns what it uses."""
    return await parts.act("quota", call, user=call.path["user"], recount=True)


def _number(call: ApiCall) -> int:
    text = call.path["session"]
    if not text.isdecimal() or len(text) > 15:
        raise Problem(404, "There is no such session.")
    return int(text)


def _has_address(network: str, address: str) -> bool:
    """Return whether an address is in a network; a network that is none has none."""
    try:
        return is_in_networks(address, (parse_network(network),))
    except ValueError:
        return False
