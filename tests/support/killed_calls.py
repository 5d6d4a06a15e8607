"""Lets a process die at a call of its S3 server."""

from __future__ import annotations

from collections.abc import Callable

from ftpservice.backends.s3.api.signed_requests import S3Answer, S3Call
from ftpservice.storage.errors import Unavailable
from ftpservice.wire.paths import ROOT
from tests.support.buckets import InlineBucket

__all__ = ["Killed", "kill_after"]


class Killed(Unavailable):
    """The process is gone."""


def kill_after(bucket: InlineBucket, calls: int) -> Callable[[], object]:
    """Let the process die after so many calls; the last one is carried out or not.

    Returns whether it has died.
    """
    send, left = bucket.requests.send, [calls]

    def dying(call: S3Call) -> S3Answer:
        left[0] -= 1
        if left[0] < 0:
            raise Killed(ROOT)
        answer = send(call)
        if left[0] == 0 and calls % 2:
            raise Killed(ROOT)
        return answer

    bucket.requests.send = dying  # type: ignore[method-assign]
    return lambda: left[0] < 0 or (left[0] == 0 and calls % 2)
