"""Keeps the copies of a node in step with the documents of its cluster, in a thread.

It looks when a node tells of a change, when messages may have been lost, and after each heartbeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.documents.cluster_documents import ClusterDocuments
from ftpservice.cluster.documents.document_statements import DOCUMENTS, versions
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.state_files.private_json import DocumentUnavailable, PrivateJSON

__all__ = ["DocumentExchange"]

log = Logger("ftpservice.cluster")


class DocumentExchange:
    """Keeps ``files`` up to date as long as the database answers."""

    def __init__(
        self, node: ClusterNode, documents: ClusterDocuments, files: Sequence[PrivateJSON]
    ) -> None:
        self._node = node
        self._documents = documents
        self._files = files
        self._pool = BlockingPool(node.reactor, "cluster documents", threads=1)
        self._is_looking = self._is_asked = False
        self._problems: dict[Path, str] = {}
        """Why copies could not be brought up to date; logged once."""
        self._problem = ""
        """The same of all of them."""
        self.ready: Deferred[None] = Deferred()
        """Fires after the first look, whatever it has found, or when the node serves alone."""
        documents.problem = lambda: "" if node.is_connected else node.status.problem
        documents.is_first_look_due = True
        node.receivers.append(self.received)
        node.when_connected.append(self.look)
        node.when_beaten.append(self.look)
        node.when_alone.append(self._alone)

    def received(self, message: Mapping[str, Any]) -> None:
        """Look what a node has changed."""
        if message["kind"] == DOCUMENTS:
            self.look()

    def look(self) -> None:
        """Bring the copies up to date."""
        if self._node.is_closing or not self._node.is_connected:
            return
        if self._is_looking:
            self._is_asked = True
            return
        self._is_looking, self._is_asked = True, False
        names = [file.path.name for file in self._files]
        looking = self._node.calls.run(versions, names)
        looking.addCallback(self._refresh)
        looking.addCallbacks(self._looked, self._unanswered)
        looking.addErrback(self._failed)
        looking.addBoth(self._again)

    async def close(self) -> None:
        """Look no more, and close the connection."""
        self._documents.interrupt()
        await self._pool.finish(self._documents.close)
        await self._pool.stop()

    def _alone(self) -> None:
        """Serve from the copies: they are the last that is known."""
        self._documents.interrupt()
        self._begin()

    def _begin(self) -> None:
        self._documents.is_first_look_due = False
        self._fire()

    def _fire(self) -> None:
        if not self.ready.called:
            self.ready.callback(None)

    def _refresh(self, found: Mapping[str, tuple[str, int]]) -> Deferred[dict[Path, OSError]]:
        return self._pool.run(self._documents.refresh_changed, self._files, found)

    def _looked(self, errors: Mapping[Path, OSError]) -> None:
        problems = {path: error.strerror or str(error) for path, error in errors.items()}
        for path, reason in problems.items():
            if self._problems.get(path) != reason:
                log.error(
                    "{path} cannot be brought up to date: {reason}", path=str(path), reason=reason
                )
        self._problems, self._problem = problems, ""
        self._begin()

    def _unanswered(self, failure: Failure) -> None:
        failure.trap(DocumentUnavailable, *UNANSWERED)
        reason = str(getattr(failure.value, "strerror", failure.value))
        if reason != self._problem and self._node.is_connected and not self._node.is_closing:
            log.error("the common files cannot be read: {reason}", reason=reason)
        self._problem = reason
        self._fire()

    def _failed(self, failure: Failure) -> None:
        log.failure("the common files failed", failure)
        self._fire()

    def _again(self, _none: object) -> None:
        self._is_looking = False
        if self._is_asked:
            self.look()
