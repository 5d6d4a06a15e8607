"""The requests of tus: each is a coroutine that begins when the headers have arrived."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account import owner_of
from ftpservice.concurrency.thread_pool import PoolOverloaded
from ftpservice.events import FileChanged, UploadRefused
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import undisclosed_detail
from ftpservice.storage.errors import NoSpace, PathNotFound, StorageError
from ftpservice.storage.interfaces import IFreeSpace, IPartials, IWriting
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.stream.errors import TransferAborted
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.portal_access import PLAINTEXT_TEXT
from ftpservice.web.api.api_resource import TOKEN_TEXT
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest
from ftpservice.web.http.web_site import WebSite
from ftpservice.web.uploads.request_body import RequestBody
from ftpservice.web.uploads.running_uploads import Uploads
from ftpservice.web.uploads.tus_headers import (
    EXTENSIONS,
    VERSION,
    NewUpload,
    check_body_type,
    check_version,
    new_upload,
    number,
    quoted_path,
    tell_expiry,
)
from ftpservice.web.uploads.upload_problems import problem_of_upload
from ftpservice.web.uploads.upload_progress import UploadProgress
from ftpservice.web.uploads.upload_records import UploadRecord
from ftpservice.web.uploads.upload_writing import (
    TOO_MUCH_TEXT,
    arrived_bytes,
    claimed,
    open_upload,
    publish,
    receive,
)
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import bytes_text

__all__ = ["UPLOADS_ROOT", "mount_uploads"]

log = Logger("ftpservice.web")

UPLOADS_ROOT = "/api/v1/uploads"
METHODS = "OPTIONS, POST, HEAD, PATCH, DELETE"
GONE_TEXT = "There is no such upload, or its name was uploaded anew meanwhile."
NO_PARTIALS_TEXT = "This storage keeps no parts of uploads; send the file in one request."
PART_LOST_TEXT = "The storage has not kept this part of the file; begin anew."
PART_QUOTA_TEXT = (
    "Quota exceeded: until an upload is complete, its parts count beside the file that it replaces."
)
DISK_TEXT = "The upload cannot be written down; the data directory of the service fails."


def mount_uploads(site: WebSite, uploads: Uploads) -> None:
    """Receive the requests."""
    site.receive(UPLOADS_ROOT, lambda request, length: _Request(uploads, request, length))


class _Request:
    """One request (`BodySink`); ``length`` is that of its body, None if it is not known."""

    def __init__(self, uploads: Uploads, request: WebRequest, length: int | None) -> None:
        self._uploads = uploads
        self._request = request
        self._length = length
        self._path = request.path.decode("ascii", "replace").removeprefix(UPLOADS_ROOT)
        request.setHeader("Tus-Resumable", VERSION)
        channel = request.channel
        self._body = RequestBody(channel)
        request.notifyFinish().addErrback(lambda _lost: self._body.cut())
        Deferred.fromCoroutine(self._answer()).addErrback(self._failed)

    def write(self, data: bytes) -> None:
        """Take a part of the body."""
        self._body.write(data)

    def end(self) -> None:
        """Note that the body is complete."""
        self._body.end()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, CancelledError | TransferAborted):
            self._body.abort()
            return
        problem = (
            error if isinstance(error, Problem) else problem_of_upload(error) if error else None
        )
        if problem is None and isinstance(error, PoolOverloaded):
            problem = Problem(503, str(error), reason="storage")
        if problem is None:
            log.failure("an upload failed", failure)
            problem = Problem(500, "See the log of the service.", reason="storage")
        self._request.refuse(problem)

    async def _answer(self) -> None:
        method = self._request.method
        if self._length == 0:
            await self._body.next(1)  # only a request that has arrived can be answered
        if method == b"OPTIONS":
            await self._send(204, ("Tus-Version", VERSION), ("Tus-Extension", EXTENSIONS))
            return
        known = {b"POST": self._create, b"HEAD": self._tell, b"PATCH": self._go_on}
        work = {**known, b"DELETE": self._end}.get(method)
        if work is None or (method == b"POST") != (self._path == ""):
            self._request.setHeader("Allow", METHODS)
            raise Problem(405, "The address does not support this method; see tus 1.0.0.")
        check_version(self._request)
        caller = await self._uploads.access.caller(self._request, has_json=False)
        account = caller.account
        if account is None:
            raise Problem(403, TOKEN_TEXT, reason="denied")
        if not account.may_transfer:
            raise Problem(403, PLAINTEXT_TEXT, reason="denied")
        await self._uploads.records.load()
        self._body.stall_seconds = account.context.services.settings.data.stall_timeout
        self._request.channel.may_finish = True
        with account.working(self._body.abort):
            await work(account)

    async def _send(self, status: int, *headers: tuple[str, str]) -> None:
        """Answer, when the body has arrived."""
        request = self._request
        if await self._body.next(1):
            raise Problem(413, TOO_MUCH_TEXT, reason="too-much")
        request.setResponseCode(status)
        for name, value in headers:
            request.setHeader(name, value)
        if status != 204:
            request.setHeader("Content-Length", "0")
        request.write(b"")
        request.finish()

    # POST

    async def _create(self, account: AccountSession) -> None:
        """Begin an upload; one whose bytes are in this request is complete afterwards."""
        new, context = new_upload(self._request), account.context
        has_body = self._length != 0
        if has_body:
            check_body_type(self._request)
        if self._length is not None and self._length > new.length:
            raise Problem(413, TOO_MUCH_TEXT, reason="too-much")
        try:
            async with claimed(context, new.path, self._body):
                await self._create_claimed(account, new, has_body)
        except StorageError as error:
            _publish_refusal(context, new.path, error)
            raise

    async def _create_claimed(
        self, account: AccountSession, new: NewUpload, has_body: bool
    ) -> None:
        context, records = account.context, self._uploads.records
        owner = owner_of(context.account)
        await _check_size(context, new)
        writing = await open_upload(
            context, new.path, replaces=new.replaces, offset=0, size=new.length
        )
        records.supersede(owner, str(new.path))
        is_whole = self._length == new.length
        record = None
        if not is_whole:
            await writing.abandon()
            try:
                id, record = await records.create(owner, str(new.path), new.length, new.replaces)
            except OSError as error:
                log.error("{text}: {error}", text=DISK_TEXT, error=str(error))
                raise Problem(507, DISK_TEXT, reason="storage") from None
            self._request.setHeader("Location", f"{UPLOADS_ROOT}/{id}")
            tell_expiry(self._request, record.expires)
            if not has_body:
                await self._send(201, ("Upload-Offset", "0"))
                return
            writing = await open_upload(
                context, new.path, replaces=new.replaces, offset=0, size=new.length
            )
        else:
            self._request.setHeader("Location", f"{UPLOADS_ROOT}/complete")
        progress = self._uploads.begin(account, new.path, new.length, self._body.abort)
        if record is not None:
            self._uploads.adopt(record, progress)
        await self._receive(progress, writing, 0, new.length, record)
        await self._send(
            201, ("Upload-Offset", str(progress.moved)), *_published(writing, progress)
        )

    async def _receive(
        self,
        progress: UploadProgress,
        writing: IWriting,
        offset: int,
        length: int,
        record: UploadRecord | None,
    ) -> None:
        """Receive the bytes of this request, and publish the file with the last of them."""
        account = progress.account
        context = account.context
        try:
            moved = await receive(context, self._body, writing, progress, length - offset)
            if offset + moved == length:
                await publish(self._body, writing, progress)
                if record is not None:
                    self._uploads.records.renewed(record, is_complete=True)
                return
            await writing.abandon()
            if await arrived_bytes(context, writing.path) != offset + moved:
                raise _not_kept(context)
            if record is not None:
                self._uploads.records.renewed(record)
            progress.pause()
        except BaseException as error:
            await writing.abandon()  # before the event, which has the number of bytes
            problem = error if isinstance(error, Problem) else None
            problem = problem or problem_of_upload(error, offset + progress.moved)
            progress.ended(error, problem)
            if problem is not None and not isinstance(error, TransferAborted):
                raise problem from error
            raise

    # HEAD, PATCH, DELETE

    def _record(self, account: AccountSession) -> UploadRecord:
        id = self._path.removeprefix("/")
        record = self._uploads.records.find(id, owner_of(account.context.account))
        if record is None:
            raise Problem(404, GONE_TEXT, reason="gone")
        return record

    async def _tell(self, account: AccountSession) -> None:
        """Tell how much has arrived."""
        record = self._record(account)
        offset = await _offset_of(account.context, record)
        tell_expiry(self._request, record.expires)
        await self._send(200, ("Upload-Offset", str(offset)), ("Upload-Length", str(record.length)))

    async def _go_on(self, account: AccountSession) -> None:
        """Receive more bytes."""
        check_body_type(self._request)
        record, context = self._record(account), account.context
        given, path = number(self._request, "Upload-Offset"), VirtualPath.parse(record.path)
        if record.is_complete:
            _check_offset(self._request, given, record.length)
            if self._length:
                raise Problem(413, TOO_MUCH_TEXT, reason="too-much")
            await self._send(204, ("Upload-Offset", str(record.length)))
            return
        if self._length is not None and self._length > record.length - given:
            raise Problem(413, TOO_MUCH_TEXT, reason="too-much")
        try:
            async with claimed(context, path, self._body):
                await self._go_on_claimed(account, self._record(account), given)
        except StorageError as error:
            _publish_refusal(context, path, error)
            raise

    async def _go_on_claimed(
        self, account: AccountSession, record: UploadRecord, given: int
    ) -> None:
        context, path = account.context, VirtualPath.parse(record.path)
        _check_offset(self._request, given, await arrived_bytes(context, path))
        size = record.length - given
        writing = await open_upload(
            context, path, replaces=record.replaces, offset=given, size=size
        )
        progress = self._uploads.progress(record, account, given, self._body.abort)
        before = progress.moved
        await self._receive(progress, writing, given, record.length, record)
        tell_expiry(self._request, record.expires)
        offset = given + progress.moved - before
        published = _published(writing, progress)
        await self._send(204, ("Upload-Offset", str(offset)), *published)

    async def _end(self, account: AccountSession) -> None:
        """Give up an upload; what has arrived is dropped."""
        record, context = self._record(account), account.context
        path, uploads = VirtualPath.parse(record.path), context.services.uploads
        self._uploads.records.remove(record)
        if not record.is_complete:
            active = uploads.active.get(context.upload_key(path))
            if active is not None and record.key in self._uploads.running:
                active.abort()
                await active.ended()
            progress = self._uploads.running.get(record.key)
            if progress is not None:
                progress.ended(TransferAborted("the client has given it up"))
            partials = IPartials(context.storage, None)
            if partials is not None:
                try:
                    await partials.drop_partials(path)
                    context.events.publish(FileChanged, "drop partial", str(path))
                except PathNotFound:
                    pass
        await self._send(204)


async def _check_size(context: SessionContext, new: NewUpload) -> None:
    """Refuse a file that does not fit; raises `StorageError`."""
    quota = IQuota(context.storage, None)
    if quota is not None:
        quota.check_size(new.length)
    space = IFreeSpace(context.storage, None)
    if space is not None and new.length:
        try:
            free = await space.free_space(new.path.parent)
        except StorageError:
            return
        if free < new.length:
            raise NoSpace(new.path)


async def _offset_of(context: SessionContext, record: UploadRecord) -> int:
    """Return how much of an upload has arrived; waits for one that is ending."""
    if record.is_complete:
        return record.length
    path = VirtualPath.parse(record.path)
    await context.services.uploads.wait_for_end(context.upload_key(path))
    arrived = await arrived_bytes(context, path)
    return arrived if arrived <= record.length else 0


def _not_kept(context: SessionContext) -> Problem:
    """Return why the storage has not kept a part of an upload."""
    if IPartials(context.storage, None) is None:
        return Problem(501, NO_PARTIALS_TEXT, reason="storage")
    if IQuota(context.storage, None) is None:
        return Problem(503, PART_LOST_TEXT, reason="storage")
    return Problem(507, PART_QUOTA_TEXT, reason="quota")


def _check_offset(request: WebRequest, given: int, offset: int) -> None:
    if given != offset:
        request.setHeader("Upload-Offset", str(offset))
        arrived = f"{bytes_text(offset)} arrived; continue there."
        raise Problem(409, arrived, reason="offset")


def _published(writing: IWriting, progress: UploadProgress) -> tuple[tuple[str, str], ...]:
    """Return the header of a file that is complete; an upload may also be over as interrupted."""
    return (("Upload-Path", quoted_path(writing.path)),) if progress.is_committing else ()


def _publish_refusal(context: SessionContext, path: VirtualPath, error: StorageError) -> None:
    """Publish the refusal of an upload that did not begin."""
    problem = problem_of_upload(error)
    assert problem is not None
    text = problem.detail
    facts = ("POST", str(path), problem.status, text, undisclosed_detail(error, text))
    context.events.publish(UploadRefused, *facts, 0, error.refused_by)
