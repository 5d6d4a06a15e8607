"""The account store that is changed, of those that a service reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.cred.strcred import InvalidAuthArgumentString, findCheckerFactories

from ftpservice.accounts.account_store import (
    IAccountStore,
    IAccountStoreFactory,
    IReadOnlyStoreFactory,
)

__all__ = ["only_changeable_store"]


def only_changeable_store(descriptions: Iterable[str]) -> IAccountStore | None:
    """Return the one store of ``--auth`` strings whose accounts can be changed.

    None if there is none, or several.
    """
    factories: dict[str, Any] = {one.authType: one for one in findCheckerFactories()}
    found = []
    for text in descriptions:
        kind, _, argument = text.partition(":")
        factory = IAccountStoreFactory(factories.get(kind), None)
        if factory is not None and not IReadOnlyStoreFactory.providedBy(factory):
            found.append((factory, argument))
    if len(found) != 1:
        return None
    factory, argument = found[0]
    try:
        return factory.openStore(argument)
    except InvalidAuthArgumentString:
        return None
