"""The credentials of a bucket: those of the usual chain of AWS, which botocore finds and renews.

The chain has environment, shared files, a program, web identity, and the role of a container or of
the machine. A program, or a server that is asked, may never answer. So a thread of its own does
that, and a call waits for it for a limited time. Keys that are still valid for long enough are used
while they are renewed. What is not found is looked for again by later calls: the server of the
machine may be there later than this service.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotFoundInTime
from threading import Lock, Thread
from time import monotonic
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.api.request_signature import Credentials

__all__ = ["CredentialChain"]

FIND_SECONDS = 10.0
"""How long a call waits for credentials."""
RENEWED_BEFORE_SECONDS = 600.0
"""Keys that are valid for a shorter time are not used before they are renewed; as in botocore."""
PAUSE_SECONDS = 2.0
"""How long the result of a search counts, if it was a failure or has renewed nothing."""


class CredentialChain:
    """The credentials of a session; used by several threads at a time."""

    def __init__(self, session: Session, seconds: Callable[[], float] = monotonic) -> None:
        self._session = session
        self._seconds = seconds
        self._known: Any = None
        self._keys: Credentials | None = None
        """The last that were found."""
        self._lock = Lock()
        self._search: Future[Credentials] | None = None
        self._ended_at = 0.0

    @property
    def ready(self) -> Credentials | None:
        """The keys, if they need not be renewed yet; never blocks."""
        return None if self._ends_within(None) else self._keys

    def current(self) -> Credentials:
        """Return the keys (blocks); raises `S3Failure`."""
        keys = self.ready
        if keys is not None:
            return keys
        search = self._begun_search()
        if self._keys is not None and not self._ends_within(RENEWED_BEFORE_SECONDS):
            return self._keys
        try:
            return search.result(FIND_SECONDS)
        except NotFoundInTime:
            text = f"no credentials within {FIND_SECONDS:g} s"
            raise S3Failure(0, "CredentialsTimeout", text) from None
        except S3Failure as failure:  # of another thread, which may be raised several times
            raise S3Failure(*failure.args) from None

    def _ends_within(self, seconds: float | None) -> bool:
        """Return whether the keys have to be renewed within a time, or that of botocore."""
        if isinstance(self._known, RefreshableCredentials):
            return bool(self._known.refresh_needed(seconds))
        return False

    def _begun_search(self) -> Future[Credentials]:
        """Return the search that is under way, or that has just ended."""
        with self._lock:
            search = self._search
            if search is not None and not search.done():
                return search
            if search is not None and self._seconds() - self._ended_at < PAUSE_SECONDS:
                return search
            self._search = search = Future()
        Thread(target=self._find, args=(search,), name="s3 credentials", daemon=True).start()
        return search

    def _find(self, search: Future[Credentials]) -> None:
        """Find or renew the keys, in the thread."""
        found = self._found()
        self._ended_at = self._seconds()
        if isinstance(found, S3Failure):
            search.set_exception(found)
        else:
            search.set_result(found)

    def _found(self) -> Credentials | S3Failure:
        try:
            known = self._known or self._session.get_credentials()
            frozen = None if known is None else known.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            return S3Failure(0, type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 - a file, or what a program says, is damaged
            return S3Failure(0, "CredentialRetrievalError", f"{type(error).__name__}: {error}")
        if frozen is None:
            text = "no credentials: set AWS_ACCESS_KEY_ID, for example"
            return S3Failure(0, "NoCredentials", text)
        self._keys = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        self._known = known
        return self._keys
