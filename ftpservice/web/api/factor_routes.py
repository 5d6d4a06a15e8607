"""What the API does with the second factors of accounts."""

from __future__ import annotations

from typing import Any

from ftpservice.web.access.scopes import Scope
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, array
from ftpservice.web.http.problems import Problem

__all__ = ["routes"]

routes = RouteTable()


@routes.add("GET", "/second-factors", Scope.ACCOUNTS, array(ANY))
async def list_second_factors(parts: ApiParts, _call: ApiCall) -> Any:
    """List the accounts with second factors; no secrets."""
    found = await parts.factors.all()
    return [one.public_json(name) for name, one in sorted(found.items())]


@routes.add("GET", "/second-factors/{user}", Scope.ACCOUNTS, ANY)
async def show_second_factors(parts: ApiParts, call: ApiCall) -> Any:
    """Return which second factors an account has; no secrets."""
    name = call.path["user"]
    return (await parts.factors.find(name)).public_json(name)


@routes.add("DELETE", "/second-factors/{user}", Scope.ACCOUNTS, ANY, errors=(507,))
async def remove_second_factors(parts: ApiParts, call: ApiCall) -> Any:
    """Remove all second factors of an account, for a user who has lost them."""
    name = call.path["user"]
    if not await parts.factors.remove(name):
        raise Problem(404, f"The account {name!r} has no second factor.")
    parts.publish_action(call, "second factors removed", name)
    return {"removed": name}
