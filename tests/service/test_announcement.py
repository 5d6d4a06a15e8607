from __future__ import annotations

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from ftpservice import __version__
from ftpservice.service.announcement import Audience, Place, announcement

HERE = Place(IPv4Address("TCP", "127.0.0.1", 2121))


def trial(audience: Audience, place: Place = HERE) -> str:
    return announcement("memory:", audience, [place])[-1].strip()


def test_it_says_what_for_whom_where_and_how_to_try_it() -> None:
    lines = announcement("local:/srv", Audience(names=("demo",), demo="demo"), [HERE])
    assert lines == [
        f"ftpservice {__version__} is serving",
        "  what  local:/srv",
        "  for   demo",
        "  at    ftp://127.0.0.1:2121/",
        "  try   curl --user demo:demo ftp://127.0.0.1:2121/",
    ]


def test_the_password_is_told_only_of_the_shipped_account() -> None:
    assert trial(Audience(names=("bob",))) == "try   curl --user bob ftp://127.0.0.1:2121/"
    assert trial(Audience(anonymous="/")) == "try   curl ftp://127.0.0.1:2121/"
    assert trial(Audience(others=("UNIXChecker",))).endswith("--user NAME ftp://127.0.0.1:2121/")


def test_names_are_quoted_for_the_shell() -> None:
    assert "--user 'it'\\''s me' " in trial(Audience(names=("it's me",)))


def test_a_place_on_every_address_is_tried_on_loopback() -> None:
    place = Place(IPv4Address("TCP", "0.0.0.0", 21))
    assert place.line() == "ftp://127.0.0.1:21/ (every address of this machine)"
    assert Place(IPv6Address("TCP", "::", 21)).url() == "ftp://[::1]:21/"


def test_brackets_are_kept_from_shell_and_curl() -> None:
    command = trial(Audience(anonymous="/"), Place(IPv6Address("TCP", "::1", 21)))
    assert command == "try   curl 'ftp://[::1]:21/'"


def test_a_balancer_is_told_and_tried_like_one() -> None:
    place = Place(IPv4Address("TCP", "127.0.0.1", 21), proxied=True)
    assert place.line().endswith("(behind a PROXY-protocol balancer)")
    assert "curl --haproxy-protocol ftp:" in trial(Audience(anonymous="/"), place)


def test_a_shipped_password_behind_a_balancer_is_warned_of() -> None:
    place = Place(IPv4Address("TCP", "127.0.0.1", 21), proxied=True)
    note = announcement("memory:", Audience(names=("demo",), demo="demo"), [place])[-1]
    assert note.startswith("  note  everybody knows the password of demo")
    assert "note" not in announcement("memory:", Audience(names=("bob",)), [place])[-1]


def test_other_kinds_of_address_are_told_and_not_tried() -> None:
    lines = announcement("memory:", Audience(), [Place(UNIXAddress("/run/ftp.sock"))])
    assert lines[-2:] == ["  for   nobody yet", "  at    unix:/run/ftp.sock"]
    assert Place(HostnameAddress(b"x", 1)).url() == str(HostnameAddress(b"x", 1))


def test_a_long_list_of_names_is_cut() -> None:
    audience = Audience(tuple("abcdefg"), ("UNIXChecker",), "/pub")
    assert list(audience.lines()) == [
        "a, b, c, d, e and 2 more",
        "accounts of UNIXChecker",
        "anonymous users, to read only, from /pub",
    ]
