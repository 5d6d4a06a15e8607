"""Tries a bucket before anybody logs in; blocks, for a limited time.

The server is reached, the credentials are used, and small objects are stored below
``.ftpservice/probe/`` and removed, as at the first login.
"""

from __future__ import annotations

from threading import Thread

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.failures import ADVICE, SERVER, S3Failure
from ftpservice.backends.s3.api.signed_requests import FINAL_CODES, SignedRequests
from ftpservice.backends.s3.server_traits import lost_updates, probe
from ftpservice.backends.s3.tree.served_bucket import ServedBucket
from ftpservice.concurrency.thread_pool import InlineRunner

__all__ = ["BucketUnusable", "check_bucket"]

CHECK_SECONDS = 15.0
PASSING_STATUSES = (408, 429)


class BucketUnusable(Exception):
    """Logins would be refused; the text is one line, and ``advice`` may be empty."""

    def __init__(self, reason: str, advice: str, may_pass: bool) -> None:
        super().__init__(reason)
        self.advice = advice
        self.may_pass = may_pass
        """Whether the reason may vanish by itself: a server that is down, or a network."""

    @property
    def line(self) -> str:
        """The reason and the advice."""
        return "; ".join(filter(None, (str(self), self.advice)))


def check_bucket(options: BucketOptions, seconds: float = CHECK_SECONDS) -> list[str]:
    """Return what the server of a bucket does not keep of conditional writes.

    Raises `BucketUnusable`, after ``seconds`` without an answer as well.
    """
    found: list[list[str] | BaseException] = []
    requests = SignedRequests(options)
    served = ServedBucket(options, requests, InlineRunner())

    def run() -> None:
        try:
            found.append(lost_updates(probe(served)))
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            found.append(error)

    thread = Thread(target=run, name="bucket check", daemon=True)
    thread.start()
    thread.join(seconds)
    requests.stop()
    if not found:
        raise BucketUnusable(f"no answer within {seconds:g} s", SERVER, True)
    (result,) = found
    if isinstance(result, S3Failure):
        raise BucketUnusable(str(result), ADVICE.get(result.code, ""), _may_pass(result))
    if isinstance(result, BaseException):
        raise result
    return result


def _may_pass(failure: S3Failure) -> bool:
    if failure.status == 0:
        return failure.code not in FINAL_CODES
    return failure.status >= 500 or failure.status in PASSING_STATUSES
