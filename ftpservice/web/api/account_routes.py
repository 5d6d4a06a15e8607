"""What the API does with accounts and groups: the same as ``ftpservice user`` and ``group``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftpservice.accounts.account_changes import new_record, parsed_changes
from ftpservice.accounts.account_json import account_json, group_json, origins_json
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import AccountStoreError, IAccountStore, NoSuchAccount
from ftpservice.accounts.groups.group_names import GROUP_HASH, GROUP_MARK, check_group_name
from ftpservice.accounts.groups.inheritance import ValueWord, with_changes
from ftpservice.accounts.passwd_line import LISTS, OPTIONS, check_name
from ftpservice.accounts.password_hash import hash_password
from ftpservice.accounts.password_strength import WeakPassword, check_strength
from ftpservice.storage.rights import Right
from ftpservice.web.access.scopes import Scope
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ACCOUNT, ANY, array, body
from ftpservice.web.http.problems import Problem

__all__ = ["routes"]

routes = RouteTable()

MAX_PASSWORD_BYTES = 1024
LEFT_TEXT = (
    "There are second factors or share links of another account {!r}; remove them first "
    "(ftpservice user second-factor remove, ftpservice share remove --user)."
)
NO_OPTIONS = ("disabled", "groups", "owner")
"""Options of a line in ``passwd.db`` that have routes or members of their own."""


def _option_members() -> dict[str, str | dict[str, Any]]:
    """Return the members of a body for the options of ``ftpservice user set``."""
    texts = {"type": "array", "items": {"type": "string"}}
    members: dict[str, str | dict[str, Any]] = {"root": "string", "rights": "string"}
    for key in OPTIONS:
        if key not in NO_OPTIONS:
            members[key.replace("-", "_")] = texts if OPTIONS[key][0] in LISTS else "string"
    return members


OPTION_MEMBERS = _option_members()
CHANGES = body((), **OPTION_MEMBERS)
ACCOUNT_CHANGES = body((), groups="string", **OPTION_MEMBERS)
SECRET = {"password": "string", "weak": "boolean"}
NEW_ACCOUNT = body(("name", "password"), name="string", groups="string", **SECRET, **OPTION_MEMBERS)
NEW_GROUP = body(("name",), name="string", **OPTION_MEMBERS)
PASSWORD = body(("password",), **SECRET)


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the members of a body set; raises `Problem`."""
    options = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if name in OPTION_MEMBERS
    }
    try:
        return parsed_changes(options, given.get("groups") or None) | (
            {"groups": ()} if given.get("groups") == "" else {}
        )
    except ValueError as error:
        raise Problem(400, str(error).removeprefix("--")) from None


def _password_hash(name: str, given: Mapping[str, Any]) -> str:
    """Return the hash of a new password; blocks. Raises `Problem`."""
    password = given["password"]
    if not password or len(password.encode("utf-8", "surrogateescape")) > MAX_PASSWORD_BYTES:
        raise Problem(400, f"A password has 1 to {MAX_PASSWORD_BYTES} bytes.")
    if any(character in "\r\n\0" for character in password):
        raise Problem(400, "The password has a character that FTP cannot carry (CR, LF or NUL).")
    if not given.get("weak"):
        try:
            check_strength(password, name)
        except WeakPassword as error:
            raise Problem(400, f"{error}; with the member weak it is accepted") from None
    return hash_password(password)


def _checked_name(text: str) -> str:
    try:
        check_name(text)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    if text.startswith(GROUP_MARK):
        raise Problem(400, f"{text!r} is the name of a group.")
    return text


def _user(call: ApiCall) -> str:
    name = call.path["user"]
    if name.startswith(GROUP_MARK):
        raise Problem(404, f"There is no account {name!r}.")
    return name


def _refuse_own(call: ApiCall, what: str) -> None:
    """Raise `Problem` if callers are about to lock themselves out."""
    if call.caller.account is not None and call.caller.name == call.path["user"]:
        raise Problem(409, f"You are logged in with this account: you cannot {what} it.")


def _group(text: str) -> str:
    try:
        check_group_name(text)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return GROUP_MARK + text


def _has(store: IAccountStore, name: str) -> bool:
    try:
        store.find(name)
    except NoSuchAccount:
        return False
    except AccountStoreError:  # which the addition tells
        return True
    return True


def _shown(record: AccountRecord) -> dict[str, Any]:
    return account_json(record) | {"origins": origins_json(record)}


@routes.add("GET", "/accounts", Scope.ACCOUNTS, ANY)
async def list_accounts(parts: ApiParts, _call: ApiCall) -> Any:
    """List the accounts with what they inherit, and the problems of the store."""

    def listed(store: IAccountStore) -> Any:
        listing = store.listing()
        accounts = [account_json(record) for record in listing.accounts]
        return {"place": store.place, "accounts": accounts, "problems": list(listing.problems)}

    return await parts.with_store(listed)


@routes.add("POST", "/accounts", Scope.ACCOUNTS, ACCOUNT, body=NEW_ACCOUNT, errors=(409, 507))
async def add_account(parts: ApiParts, call: ApiCall) -> Any:
    """Add an account; the members are the options of 'ftpservice user add'."""
    name, changes = _checked_name(call.body["name"]), _changes(call.body)
    left = (await parts.factors.all()).keys() | await parts.shares.users()

    def add(store: IAccountStore) -> Any:
        record = new_record(store, AccountRecord(name, _password_hash(name, call.body)), changes)
        if parts.removed is not None:
            record = parts.removed.new_account(record)
        if name in left and not _has(store, name):
            raise Problem(409, LEFT_TEXT.format(name))
        store.add(record)
        return _shown(store.find(name))

    added = await parts.with_store(add)
    parts.publish_action(call, "user add", name)
    return added


@routes.add("GET", "/accounts/{user}", Scope.ACCOUNTS, ACCOUNT)
async def show_account(parts: ApiParts, call: ApiCall) -> Any:
    """Return an account, and where each value comes from."""
    name = _user(call)
    return await parts.with_store(lambda store: _shown(store.find(name)))


@routes.add(
    "PATCH",
    "/accounts/{user}",
    Scope.ACCOUNTS,
    ACCOUNT,
    body=body(groups="string", **OPTION_MEMBERS),
    errors=(409, 507),
)
async def change_account(parts: ApiParts, call: ApiCall) -> Any:
    """Change an account; 'none' removes a value, 'inherit' makes it that of its groups."""
    changes = _changes(call.body)
    if not changes:
        raise Problem(400, "There is nothing to change.")
    rights = changes.get("rights")
    if isinstance(rights, frozenset) and Right.ADMIN not in rights:
        _refuse_own(call, "take the right admin from")
    changed = await _changed(parts, _user(call), changes)
    parts.publish_action(call, "user set", _user(call), ", ".join(sorted(call.body)))
    return changed


@routes.add("DELETE", "/accounts/{user}", Scope.ACCOUNTS, ANY, errors=(409, 507))
async def remove_account(parts: ApiParts, call: ApiCall) -> Any:
    """Remove an account, not your own, with its second factors and share links; its files stay.

    A repeat completes a removal that was interrupted.
    """
    _refuse_own(call, "remove")
    name, removed = _user(call), parts.removed

    def remove(store: IAccountStore) -> None:
        if removed is None:
            store.remove(name)
        else:
            removed.remove_from(store, name)

    await parts.with_store(remove)
    parts.publish_action(call, "user remove", name)
    await parts.factors.remove(name)
    await parts.shares.remove_of(name)
    if removed is not None:
        await parts.store_pool.run(removed.finish, name)
    return {"removed": name}


@routes.add("POST", "/accounts/{user}/lock", Scope.ACCOUNTS, ACCOUNT, errors=(409, 507))
async def lock_account(parts: ApiParts, call: ApiCall) -> Any:
    """Refuse the logins of an account, not of your own; its sessions end."""
    _refuse_own(call, "lock")
    locked = await _changed(parts, _user(call), {"disabled": True})
    parts.publish_action(call, "user lock", _user(call))
    return locked


@routes.add("POST", "/accounts/{user}/unlock", Scope.ACCOUNTS, ACCOUNT, errors=(507,))
async def unlock_account(parts: ApiParts, call: ApiCall) -> Any:
    """Accept the logins of a locked account again."""
    unlocked = await _changed(parts, _user(call), {"disabled": False})
    parts.publish_action(call, "user unlock", _user(call))
    return unlocked


@routes.add("POST", "/accounts/{user}/password", Scope.ACCOUNTS, ANY, body=PASSWORD, errors=(507,))
async def change_password(parts: ApiParts, call: ApiCall) -> Any:
    """Change the password of an account."""
    name = _user(call)

    def change(store: IAccountStore) -> None:
        store.find(name)
        store.change(name, {"password_hash": _password_hash(name, call.body)})

    await parts.with_store(change)
    parts.publish_action(call, "user passwd", name)
    return {"changed": name}


@routes.add("GET", "/groups", Scope.ACCOUNTS, array(ANY))
async def list_groups(parts: ApiParts, _call: ApiCall) -> Any:
    """List the groups and their values."""
    return await parts.with_store(lambda store: [group_json(one) for one in store.groups()])


@routes.add("POST", "/groups", Scope.ACCOUNTS, ANY, body=NEW_GROUP, errors=(409, 507))
async def add_group(parts: ApiParts, call: ApiCall) -> Any:
    """Add a group with the values that its accounts inherit."""
    name, changes = _group(call.body["name"]), _changes(call.body)
    nothing = {"root": ValueWord.INHERIT, "rights": ValueWord.INHERIT}
    record = AccountRecord(name, GROUP_HASH)

    def add(store: IAccountStore) -> Any:
        store.add(with_changes(record, {**nothing, **changes}, has_defaults=True))
        return group_json(store.find(name))

    added = await parts.with_store(add)
    parts.publish_action(call, "group add", call.body["name"])
    return added


@routes.add("PATCH", "/groups/{group}", Scope.ACCOUNTS, ANY, body=CHANGES, errors=(507,))
async def change_group(parts: ApiParts, call: ApiCall) -> Any:
    """Change the values of a group; 'inherit' takes a value out of it."""
    name, changes = _group(call.path["group"]), _changes(call.body)
    if not changes:
        raise Problem(400, "There is nothing to change.")
    changed = await parts.with_store(lambda store: group_json(store.change(name, changes)))
    parts.publish_action(call, "group set", call.path["group"], ", ".join(sorted(call.body)))
    return changed


@routes.add("DELETE", "/groups/{group}", Scope.ACCOUNTS, ANY, errors=(507,))
async def remove_group(parts: ApiParts, call: ApiCall) -> Any:
    """Remove a group that no account needs."""
    name = _group(call.path["group"])
    await parts.with_store(lambda store: store.remove(name))
    parts.publish_action(call, "group remove", call.path["group"])
    return {"removed": call.path["group"]}


async def _changed(parts: ApiParts, name: str, changes: Mapping[str, Any]) -> Any:
    def change(store: IAccountStore) -> Any:
        store.change(name, changes)
        return _shown(store.find(name))

    return await parts.with_store(change)
