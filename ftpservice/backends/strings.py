r"""Storage strings: ``local:/srv/ftp``, ``memory:capacity=10M``.

A string is a scheme, a colon, and an argument whose syntax the scheme defines. The built-in schemes
split their argument at colons; ``\:`` stands for a colon in it and ``\\`` for a backslash.

- ``local:PATH[:durable=yes][:partial-age=7d][:timeout=20s]``
- ``memory:[capacity=10M][:partial-age=7d]``
- ``s3:BUCKET[:prefix=PREFIX][:endpoint=URL][:region=REGION]…``, see ``docs/s3.md``

Other schemes come from Twisted plugins: an object in ``twisted/plugins/`` that provides
`IStorageSourceFactory`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.plugin import getPlugins
from zope.interface import implementer

from ftpservice.backends.s3.api.bucket_string import BucketOptions, parse_bucket_string
from ftpservice.storage.interfaces import IStorageSource
from ftpservice.storage.source_strings import (
    IStorageSourceFactory,
    parse_options,
    parse_switch,
    split_fields,
)
from ftpservice.wire.units import parse_duration, parse_size

__all__ = [
    "BUILT_IN_FACTORIES",
    "BadStorageString",
    "bucket_of",
    "build_source",
    "check_storage_string",
    "directory_of",
    "storage_factories",
]


class BadStorageString(ValueError):
    """A storage string that is invalid or whose storage cannot be opened; the text is one line."""


def build_source(text: str, reactor: Any) -> IStorageSource:
    """Build the source that a storage string stands for; raises `BadStorageString`."""
    scheme, colon, argument = text.partition(":")
    if not colon or "/" in scheme:
        raise BadStorageString(f"storage {text!r} has no scheme; a directory is local:{text}")
    factory = _factory(text)
    try:
        source: IStorageSource = factory.build(argument, reactor)
    except OSError as error:
        reason = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
        raise BadStorageString(f"storage {text!r}: {reason or error}") from error
    except ValueError as error:
        raise BadStorageString(f"storage {text!r}: {error}") from error
    return source


def check_storage_string(text: str) -> None:
    """Raise `ValueError` for a scheme that is not installed, or fields that can never be used.

    The fields of the schemes of plugins are not checked: that would open their storages.
    """
    factory = _factory(text)
    if isinstance(factory, LocalSourceFactory | MemorySourceFactory | BucketSourceFactory):
        try:
            factory.fields(text.partition(":")[2])
        except ValueError as error:
            raise BadStorageString(f"storage {text!r}: {error}") from None


def directory_of(text: str) -> str | None:
    """Return the directory that a ``local:`` string names; None for other storages.

    The disk that it is on may hang: it is to be looked at in a thread before `build_source`.
    """
    scheme, _colon, argument = text.partition(":")
    return split_fields(argument)[0] if scheme == LocalSourceFactory.scheme else None


def bucket_of(text: str) -> BucketOptions | None:
    """Return what an ``s3:`` string says; None for other storages."""
    scheme, _colon, argument = text.partition(":")
    return parse_bucket_string(argument) if scheme == BucketSourceFactory.scheme else None


def storage_factories() -> Iterator[IStorageSourceFactory]:
    """Yield the factories of all schemes: the built-in ones, then those of plugins."""
    yield from BUILT_IN_FACTORIES
    yield from getPlugins(IStorageSourceFactory)


def _factory(text: str) -> IStorageSourceFactory:
    """Return the factory of a storage string; raises `BadStorageString`."""
    scheme = text.partition(":")[0]
    found = next((one for one in storage_factories() if one.scheme == scheme), None)
    if found is None:
        known = ", ".join(sorted({f"{one.scheme}:" for one in storage_factories()}))
        raise BadStorageString(f"unknown storage {scheme + ':'!r} in {text!r} (known: {known})")
    return found


@implementer(IStorageSourceFactory)
class LocalSourceFactory:
    """``local:`` — a directory of this machine."""

    scheme = "local"
    help = "local:PATH[:durable=yes][:partial-age=7d][:timeout=20s]  a directory of this machine"

    def build(self, argument: str, reactor: Any) -> IStorageSource:
        """Build a source; its root is the directory in the first field."""
        path, given = self.fields(argument)
        from ftpservice.backends.local.source import LocalSource

        time_limit = given.pop("timeout", None)
        source = LocalSource(path, reactor, **given)
        if time_limit is not None and source.mount_pools is not None:
            source.mount_pools.time_limit = time_limit
        opened: IStorageSource = source
        return opened

    def fields(self, argument: str) -> tuple[str, dict[str, Any]]:
        """Return the directory and the options; raises `ValueError`."""
        path, *rest = split_fields(argument)
        if not path:
            raise ValueError("the directory is missing: local:/srv/ftp")
        kinds = {"durable": parse_switch, "partial-age": _parse_age, "timeout": _parse_age}
        return path, parse_options(rest, kinds)


@implementer(IStorageSourceFactory)
class MemorySourceFactory:
    """``memory:`` — files that end with the process."""

    scheme = "memory"
    help = "memory:[capacity=10M][:partial-age=7d]  files that end with the process"

    def build(self, argument: str, reactor: Any) -> IStorageSource:
        """Build a source with a tree of its own."""
        given = self.fields(argument)
        from ftpservice.backends.memory.storage import MemorySource
        from ftpservice.backends.memory.tree import MemoryTree

        return MemorySource(MemoryTree(**given), reactor)

    def fields(self, argument: str) -> dict[str, Any]:
        """Return the options; raises `ValueError`."""
        return parse_options(
            split_fields(argument), {"capacity": parse_size, "partial-age": _parse_age}
        )


@implementer(IStorageSourceFactory)
class BucketSourceFactory:
    """``s3:`` — a bucket of an S3 server."""

    scheme = "s3"
    help = r"s3:BUCKET[:prefix=PREFIX][:endpoint=https\://HOST]  a bucket of an S3 server"

    def build(self, argument: str, reactor: Any) -> IStorageSource:
        """Build a source; the bucket is not asked for anything yet."""
        options = self.fields(argument)
        try:
            from ftpservice.backends.s3.bucket_source import S3Source
        except ImportError as error:
            raise ValueError(
                f"{error.name or error} is missing: pip install 'ftpservice[s3]'"
            ) from None
        return S3Source(options, reactor)

    def fields(self, argument: str) -> BucketOptions:
        """Return the options; raises `ValueError`."""
        return parse_bucket_string(argument)


def _parse_age(text: str) -> float:
    return parse_duration(text, needs_unit=True)


BUILT_IN_FACTORIES: tuple[IStorageSourceFactory, ...] = (
    LocalSourceFactory(),
    MemorySourceFactory(),
    BucketSourceFactory(),
)
