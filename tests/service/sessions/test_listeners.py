from __future__ import annotations

import errno
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from zope.interface import implementer

from ftpservice.data.shared_port import CannotOpenSharedPort
from ftpservice.service.sessions.listeners import Listener, Listeners, parse_listener
from ftpservice.service.settings.errors import CannotStart, error_text


@implementer(IListeningPort)
class Port:
    def __init__(self, number: int, ends: Deferred[None] | None = None) -> None:
        self.number = number
        self.ends = ends
        self.stopped = False

    def startListening(self) -> None:
        raise AssertionError("it listens already")

    def stopListening(self) -> Deferred[None] | None:
        self.stopped = True
        return self.ends

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self.number)


@implementer(IStreamServerEndpoint)
class Endpoint:
    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        assert IProtocolFactory.providedBy(protocolFactory)
        return self.answer


class Watched(Listeners):
    """Listeners on endpoints with these answers; keeps the reported lines."""

    def __init__(self, *answers: Deferred[Any], exposed: int = -1, option: str = "listen") -> None:
        self.checked: list[int] = []
        self.reported: list[str] = []
        self.exposed = exposed
        places = [
            Listener(f"tcp:{number}", Endpoint(answer), option=option)
            for number, answer in enumerate(answers)
        ]
        super().__init__(places, lambda place: Factory(), self.look, self.reported.append)

    def look(self, place: Listener, port: IListeningPort) -> None:
        self.checked.append(port.getHost().port)
        if port.getHost().port == self.exposed:
            raise CannotStart("exposed")


def taken(number: int = errno.EADDRINUSE) -> CannotListenError:
    return CannotListenError("", 2121, OSError(number, "Some Reason"))


def test_everything_is_bound_before_privileges_go() -> None:
    first, second = Port(1), Port(2)
    service = Watched(succeed(first), succeed(second))
    service.privilegedStartService()
    assert service.ports == [first, second]
    service.startService()
    assert service.checked == [1, 2]
    stopped = service.stopService()
    assert stopped.called
    assert first.stopped and second.stopped
    assert service.ports == []


def test_without_privileges_it_binds_at_the_start() -> None:
    service = Watched(succeed(Port(1)))
    service.startService()
    assert service.checked == [1]


def test_stopping_waits_until_nothing_listens() -> None:
    ends: Deferred[None] = Deferred()
    service = Watched(succeed(Port(1, ends)))
    service.startService()
    stopped = service.stopService()
    assert not stopped.called
    ends.callback(None)
    assert stopped.called


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EADDRINUSE, "stop the other program or choose another --listen"),
        (errno.EACCES, "port below 1024"),
        (errno.EADDRNOTAVAIL, "an address of this machine"),
        (errno.EIO, "choose another --listen"),
    ],
)
def test_a_listener_that_cannot_be_bound_closes_the_others(number: int, advice: str) -> None:
    first = Port(1)
    service = Watched(succeed(first), fail(taken(number)))
    with pytest.raises(CannotStart) as caught:
        service.privilegedStartService()
    assert caught.value.line.startswith("cannot listen on tcp:1: some reason - ")
    assert advice in caught.value.line
    assert first.stopped
    assert service.ports == []


def test_the_option_that_it_was_given_with_is_named() -> None:
    service = Watched(fail(taken()), option="simple-tls")
    with pytest.raises(CannotStart) as caught:
        service.privilegedStartService()
    assert caught.value.line.endswith("stop the other program or choose another --simple-tls")


def test_the_shared_passive_port_is_named_if_it_is_that() -> None:
    error = CannotOpenSharedPort("", 50000, OSError(errno.EADDRINUSE, "Address already in use"))
    with pytest.raises(CannotStart) as caught:
        Watched(fail(error)).privilegedStartService()
    assert caught.value.line == (
        "cannot listen on --passive-port 50000: address already in use"
        " - stop the other program or choose another --passive-port"
    )


def test_an_error_of_another_kind_is_reported_as_well() -> None:
    with pytest.raises(CannotStart, match="tcp:0: no way - choose another"):
        Watched(fail(RuntimeError("no\nway"))).privilegedStartService()


def test_a_listener_that_is_refused_after_binding_is_closed() -> None:
    port = Port(5)
    with pytest.raises(CannotStart, match=r"^exposed$"):
        Watched(succeed(port), exposed=5).privilegedStartService()
    assert port.stopped


def test_a_listener_that_fails_later_is_reported() -> None:
    late: Deferred[Any] = Deferred()
    service = Watched(late)
    service.privilegedStartService()
    late.errback(taken())
    assert service.reported == [
        "cannot listen on tcp:0: some reason - stop the other program or choose another --listen"
    ]


def test_a_listener_that_binds_later_keeps_its_order() -> None:
    late: Deferred[Any] = Deferred()
    first, second = Port(1), Port(2)
    service = Watched(late, succeed(second))
    service.privilegedStartService()
    late.callback(first)
    assert service.ports == [first, second]


def test_stopping_cancels_a_pending_bind_silently() -> None:
    service = Watched(Deferred())
    service.startService()
    assert service.stopService().called
    assert service.reported == []


def test_an_endpoint_string_is_read() -> None:
    place = parse_listener(MemoryReactor(), "tcp:2121:interface=127.0.0.1")
    assert not place.proxied
    assert IStreamServerEndpoint.providedBy(place.endpoint)


def test_a_balancer_is_taken_off_the_string() -> None:
    place = parse_listener(MemoryReactor(), "haproxy:tcp:2121")
    assert place.proxied
    assert place.text == "haproxy:tcp:2121"


@pytest.mark.parametrize("text", ["", "2121", "bogus:1", "tcp", "tcp:x", "tcp:1:y=2", "haproxy:"])
def test_a_wrong_endpoint_string_is_reported_in_one_line(text: str) -> None:
    with pytest.raises(CannotStart) as caught:
        parse_listener(MemoryReactor(), text)
    assert caught.value.line.startswith(f"--listen {text} is not an endpoint (")
    assert "\n" not in caught.value.line


def test_a_reason_is_always_one_line() -> None:
    assert error_text(OSError(errno.ENOENT, "No such file")) == "no such file"
    assert error_text(OSError("odd")) == "odd"
    assert error_text(KeyError()) == "KeyError"
    assert error_text(ValueError("a\nb")) == "a b"


def test_a_failure_to_start_ends_the_process_with_status_1_and_is_an_exception() -> None:
    error = CannotStart("why")
    assert isinstance(error, Exception)
    assert isinstance(error, SystemExit)
    assert error.code == "ftpservice: why"
    assert str(error) == "why"
    error.was_printed(by_daemon=False)
    assert (error.code, str(error)) == (1, "why")
    error.was_printed(by_daemon=True)
    assert str(error) == "see the line above"
