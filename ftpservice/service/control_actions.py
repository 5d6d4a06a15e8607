"""What requests on the control socket do: list and end sessions, bans, quotas, drain, report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from ftpservice.accounts.checkers import LoginUnavailable
from ftpservice.accounts.defence.bans import Ban, BanList
from ftpservice.accounts.defence.networks import (
    Network,
    client_address,
    is_in_networks,
    parse_network,
)
from ftpservice.accounts.realm import Realm
from ftpservice.activity.admin_actions import publishing_actions
from ftpservice.activity.event_feed import EventFeed, Feed
from ftpservice.activity.live.live_feed import LiveFeed
from ftpservice.activity.live.live_sessions import LiveSessions
from ftpservice.activity.report import ActivityReport, LiveSession, Moved, session_values
from ftpservice.activity.trace.trace_feed import trace_for
from ftpservice.concurrency.task import Task
from ftpservice.control.factory import FTPFactory
from ftpservice.retention.retention_run import CannotRun
from ftpservice.retention.retention_service import RetentionService
from ftpservice.retention.trash_requests import TrashRequests
from ftpservice.service.cluster.node_actions import Actions, actions_of_one
from ftpservice.service.cluster.node_feeds import Feeds, feeds_of_one
from ftpservice.service.control_socket import BadRequest
from ftpservice.session.context import moved_of
from ftpservice.storage.errors import StorageError
from ftpservice.wire.units import parse_duration

if TYPE_CHECKING:  # the extra acme may be missing
    from ftpservice.activity.live.node_sessions import NodeSessions
    from ftpservice.service.acme.renewal import CertificateRenewal

__all__ = ["ServiceActions"]

KICK_TEXT = "An administrator has ended the session."
MAX_REASON_LENGTH = 200
BAN_TEXT = "An administrator has banned your address."
MAX_BAN_SECONDS = 3650 * 86_400
DRAIN_TEXT = "The service is about to stop; connect again later."

Request = Mapping[str, Any]


class ServiceActions:
    """The requests by the name of their command: `by_name`, and `feeds` of values as they come."""

    def __init__(
        self,
        factory: FTPFactory,
        realm: Realm,
        report: ActivityReport,
        bans: BanList,
        retention: RetentionService,
    ) -> None:
        self._factory = factory
        self._realm = realm
        self._report = report
        self._bans = bans
        self._retention = retention
        report.moved = self._moved
        self.renewal: CertificateRenewal | None = None
        """The renewal of the certificate by ACME, if there is one."""
        self.trace: Callable[[Request], Feed] = partial(trace_for, factory)
        """Returns the trace that a request asks for."""
        self.restored = report.restore
        """Notes sessions that go on from before this program, by their events."""
        self.reload: Callable[[], object] = bool
        """Reads the files of settings and certificates again."""
        self.over_nodes: Callable[[Actions], Actions] = actions_of_one
        """Returns the actions that other nodes of a cluster can carry out, too."""
        self.spread: Actions = {}
        """The actions by command, as they are carried out here and on other nodes."""
        self.state: Callable[[], Any] = dict
        """Returns the `node_state`."""
        self.upgrade: Callable[[Request], Any] = _cannot_upgrade
        """Has the program replaced by the installed one."""
        self.feeds = _feeds(factory, lambda request: self.trace(request))
        self.live = LiveSessions(report, factory.sessions)
        """The sessions and transfers of this service."""
        self.live_feed: Callable[[Request], Feed] = partial(_live, factory, self.live)
        """Returns them for another node, and then what changes in them."""
        self.feeds_over_nodes: Callable[[Feeds], Feeds] = feeds_of_one
        """Returns the feeds that can be those of other nodes of a cluster, too."""
        self.nodes: NodeSessions | None = None
        """The sessions of the other nodes; None without a cluster."""

    @property
    def by_name(self) -> dict[str, Callable[[Request], Any]]:
        """Return the actions by command; what they do is published."""
        publish = self._factory.event_sink.events.publish
        actions: dict[str, Callable[[Request], Any]] = {
            "who": self.who,
            "kick": self.kick,
            "ban": self.ban,
            "unban": self.unban,
            "bans": self.bans,
            "drain": self.drain,
            "reload": lambda _request: self.reload(),
            "upgrade": lambda request: self.upgrade(request),
            "report": self.report,
            "state": lambda _request: self.state(),
            "quota": self.quota,
            "certificate": self.certificate,
            **_retention_actions(self._retention),
            **TrashRequests(self._realm, publish, time.time).by_name,
        }
        return publishing_actions(actions, publish, time.time)

    def who(self, _request: Request) -> Any:
        """Return the sessions."""
        return [_session(one, self._moved) for one in self._report.sessions()]

    def _moved(self, number: int, transfer: int) -> int:
        """Return the bytes so far of a transfer of a session."""
        session = self._factory.sessions.get(number)
        return 0 if session is None else moved_of(session.context, transfer)

    def kick(self, request: Request) -> Any:
        """End the sessions of a number, a user or a network; returns their numbers.

        Those that have begun in a worker a moment ago end, too, but their numbers are not known.
        """
        number, user = request.get("session"), request.get("user")
        network = _network(request["network"]) if "network" in request else None
        if number is None and user is None and network is None:
            raise BadRequest("kick needs a session, a user or a network")
        return self._end(KICK_TEXT, number, user, network)

    def _end(
        self,
        text: str,
        number: object = None,
        user: object = None,
        network: Network | None = None,
    ) -> list[int]:
        networks = () if network is None else (network,)

        def is_chosen(session: LiveSession) -> bool:
            if session.number == number or (user is not None and session.user == user):
                return True
            return is_in_networks(session.peer, networks)

        numbers = [session.number for session in self._report.sessions() if is_chosen(session)]
        sessions = self._factory.sessions
        found = [one for one in numbers if one in sessions]
        for one in found:
            sessions[one].disconnect(text)
        if user is not None or networks:
            name, place = None if user is None else str(user), str(network) if networks else None
            self._factory.disconnect_where(text, name, place)
        return found

    def ban(self, request: Request) -> Any:
        """Ban a network for a time and end its sessions; returns the ban and their numbers."""
        network, duration = _network(request.get("network")), request.get("duration")
        try:
            seconds = None if duration is None else parse_duration(str(duration), needs_unit=True)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        if seconds is not None and not 0 < seconds <= MAX_BAN_SECONDS:
            raise BadRequest(
                f"a ban is for more than 0 seconds and at most {MAX_BAN_SECONDS // 86_400} days, "
                f"not {duration!r}; without a time it holds until it is lifted (unban)"
            )
        reason = str(request.get("reason") or "")
        if len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
            raise BadRequest(
                f"a reason has at most {MAX_REASON_LENGTH} characters in one line; clients read it"
            )
        ban = self._bans.ban(network, seconds, reason)
        ended = self._end(BAN_TEXT, network=ban.network)
        return _ban(ban) | {"ended": ended}

    def unban(self, request: Request) -> Any:
        """Lift a ban."""
        network = _network(request.get("network"))
        if not self._bans.unban(network):
            raise BadRequest(f"{network} is not banned")
        return None

    def bans(self, _request: Request) -> Any:
        """Return the bans in force."""
        return [_ban(ban) for ban in self._bans.bans()]

    def drain(self, request: Request) -> Any:
        """Refuse new sessions and end idle ones, or accept sessions again (``undo``).

        Returns the number of sessions left.
        """
        if request.get("undo"):
            self._factory.session_refusal = None
        elif not request.get("ask"):
            self._factory.finish_and_disconnect_all(DRAIN_TEXT)
        accepts = self._factory.session_refusal is None
        return {"accepts": accepts, "sessions": len(self._factory.sessions)}

    def report(self, request: Request) -> Any:
        """Return the lines of REPORT."""
        words = (str(request.get(name) or "") for name in ("since", "until", "user"))
        try:
            return self._factory.event_sink.report(*words)
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def quota(self, request: Request) -> Any:
        """Return what an account uses, and its quota; with ``recount`` after counting its files."""
        return Task(self._quota(str(request.get("user")), bool(request.get("recount")))).done

    async def _quota(self, user: str, recount: bool) -> Any:
        try:
            state = await self._realm.quota_of(user, recount=recount)
        except StorageError as error:
            raise BadRequest(f"{user!r}: {error.reason}") from None
        except LoginUnavailable:
            raise BadRequest(f"{user!r}: the account store is not available") from None
        if state is None:
            raise BadRequest(f"there is no account {user!r}")
        return {
            "user": user,
            "bytes": state.size,
            "files": state.files,
            "quota_bytes": state.size_limit,
            "quota_files": state.files_limit,
        }

    def certificate(self, request: Request) -> Any:
        """Return the certificates in use and the state of ACME; with ``renew`` after an attempt."""
        if not request.get("renew"):
            return self._certificates()
        if self.renewal is None:
            raise BadRequest("the service gets no certificate itself: acme is not set")
        if self.renewal.plan.is_satisfied and not request.get("force"):
            raise BadRequest("the certificate is not due for renewal yet (see --force)")
        renewing = self.renewal.renew(bool(request.get("force")))
        return renewing.addCallback(lambda _none: self._certificates())

    def _certificates(self) -> dict[str, Any]:
        tls = self._factory.tls
        found = tls.certificates if tls is not None else ()
        return {
            "certificates": [
                {
                    "names": list(one.names),
                    "not_after": one.not_after.timestamp(),
                    "fingerprint": one.fingerprint,
                }
                for one in found
            ],
            "acme": self.renewal.plan.status() if self.renewal is not None else None,
        }


def _cannot_upgrade(_request: Request) -> Any:
    raise BadRequest("this service cannot be upgraded while it runs")


def _feeds(
    factory: FTPFactory, trace: Callable[[Request], Feed]
) -> dict[str, Callable[[Request], Feed]]:
    """Return the requests that are answered by values as they come, by command."""
    feeds: dict[str, Callable[[Request], Feed]] = {
        "log": partial(_log, factory),
        "trace": trace,
    }
    return publishing_actions(feeds, factory.event_sink.events.publish, time.time)


def _log(factory: FTPFactory, request: Request) -> EventFeed:
    """Return the events as they happen."""
    user, services = request.get("user"), factory.services()
    chosen = None if user is None else str(user)
    events = services.event_sink.events
    return EventFeed(events, services.clock, chosen, bool(request.get("failed")))


def _live(factory: FTPFactory, live: LiveSessions, _request: Request) -> LiveFeed:
    services = factory.services()
    return LiveFeed(live, services.event_sink.events, services.clock)


def _retention_actions(service: RetentionService) -> dict[str, Callable[[Request], Any]]:
    """Return the actions about retention by command."""

    def show(request: Request) -> Any:
        return _refusing(service.show, str(request.get("user")))

    def run(request: Request) -> Any:
        user, is_dry = request.get("user"), bool(request.get("dry_run"))
        chosen = None if user is None else str(user)
        return _refusing(service.run_now, chosen, is_dry, bool(request.get("force")))

    return {"retention": show, "retention-run": run}


def _refusing(call: Callable[..., Deferred[Any]], *words: Any) -> Deferred[Any]:
    """Return the result of a call; `CannotRun` becomes `BadRequest`."""

    def refuse(failure: Failure) -> None:
        failure.trap(CannotRun)
        raise BadRequest(failure.getErrorMessage())

    return maybeDeferred(call, *words).addErrback(refuse)


def _network(given: object) -> Network:
    try:
        network = parse_network(str(given))
    except ValueError as error:
        raise BadRequest(str(error)) from None
    address = client_address(str(network.network_address))
    is_mapped = network.prefixlen == 128 and address is not None and address.version == 4
    return ip_network(str(address)) if is_mapped else network


def _session(session: LiveSession, moved: Moved) -> dict[str, Any]:
    row, now = session_values(session, moved), time.time()
    for transfer in row["transfers"]:
        transfer["rate"] = transfer["moved"] / max(now - transfer["since"], 0.001)
    return row


def _ban(ban: Ban) -> dict[str, Any]:
    return {
        "network": str(ban.network),
        "reason": ban.reason,
        "since": ban.since,
        "until": None if ban.until == math.inf else ban.until,
    }
