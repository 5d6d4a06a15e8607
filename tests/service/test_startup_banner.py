from __future__ import annotations

from datetime import UTC, datetime

import pytest
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from ftpservice import __version__
from ftpservice.net.tls.server import CertificateSummary
from ftpservice.service.startup_banner import (
    ListeningAddress,
    LoginSummary,
    TLSSummary,
    banner_lines,
)
from ftpservice.session.tls_policy import ControlTLS, TLSPolicy

HERE = ListeningAddress(IPv4Address("TCP", "127.0.0.1", 2121))
ELSEWHERE = ListeningAddress(IPv4Address("TCP", "192.0.2.1", 21))
OFFERED = TLSSummary(TLSPolicy())


def trial(audience: LoginSummary, place: ListeningAddress = HERE) -> str:
    return banner_lines("memory:", audience, [place], OFFERED)[-1].strip()


def test_the_banner_lists_storage_accounts_addresses_and_commands_to_try() -> None:
    lines = banner_lines("local:/srv", LoginSummary(names=("demo",), demo="demo"), [HERE], OFFERED)
    assert lines == [
        f"ftpservice {__version__} is serving",
        "  what  local:/srv",
        "  for   demo",
        "  at    ftp://127.0.0.1:2121/",
        "  tls   offered",
        "  try   curl --user demo:demo ftp://127.0.0.1:2121/",
    ]


def test_only_the_password_of_the_shipped_account_is_printed() -> None:
    assert trial(LoginSummary(names=("bob",))) == "try   curl --user bob ftp://127.0.0.1:2121/"
    assert trial(LoginSummary(anonymous="/")) == "try   curl ftp://127.0.0.1:2121/"
    assert trial(LoginSummary(others=("UNIXChecker",))).endswith(
        "--user NAME ftp://127.0.0.1:2121/"
    )


def test_names_are_quoted_for_the_shell() -> None:
    assert "--user 'it'\\''s me' " in trial(LoginSummary(names=("it's me",)))


def test_a_wildcard_address_is_tried_on_loopback() -> None:
    place = ListeningAddress(IPv4Address("TCP", "0.0.0.0", 21))
    assert place.line() == "ftp://127.0.0.1:21/ (all addresses of this machine)"
    assert ListeningAddress(IPv6Address("TCP", "::", 21)).url() == "ftp://[::1]:21/"


def test_brackets_are_kept_from_shell_and_curl() -> None:
    command = trial(LoginSummary(anonymous="/"), ListeningAddress(IPv6Address("TCP", "::1", 21)))
    assert command == "try   curl 'ftp://[::1]:21/'"


def test_a_load_balancer_is_listed_and_imitated() -> None:
    place = ListeningAddress(IPv4Address("TCP", "127.0.0.1", 21), proxied=True)
    assert place.line().endswith("(behind a PROXY protocol load balancer)")
    assert "curl --haproxy-protocol ftp:" in trial(LoginSummary(anonymous="/"), place)


def said(place: ListeningAddress, security: TLSSummary) -> list[str]:
    lines = banner_lines("memory:", LoginSummary(names=("bob",)), [place], security)
    return [line[2:] for line in lines[4:]]


def test_certificates_are_listed_with_their_fingerprints() -> None:
    certificates = [
        CertificateSummary(
            ("a.example", "b.example"),
            "AA:BB",
            datetime(2031, 2, 3, tzinfo=UTC),
            datetime(2021, 2, 3, tzinfo=UTC),
        )
    ]
    assert said(HERE, TLSSummary(TLSPolicy(), certificates))[:2] == [
        "tls   offered",
        "      a.example, b.example, valid until 2031-02-03, SHA-256 AA:BB",
    ]
    assert said(HERE, TLSSummary(TLSPolicy(), certificates, is_self_signed=True))[1] == (
        "      self-signed, valid until 2031-02-03, SHA-256 AA:BB"
    )


def test_a_port_where_tls_comes_first_is_one_of_ftps() -> None:
    place = ListeningAddress(IPv4Address("TCP", "127.0.0.1", 990), scheme="ftps")
    assert place.url() == "ftps://127.0.0.1:990/"
    assert said(place, OFFERED)[-1] == "try   curl --insecure --user bob ftps://127.0.0.1:990/"


@pytest.mark.parametrize("control", [ControlTLS.REQUIRED, ControlTLS.REQUIRED_LOGIN])
def test_tls_is_tried_where_it_is_wanted(control: ControlTLS) -> None:
    expected = "try   curl --ssl-reqd --insecure --user bob ftp://127.0.0.1:2121/"
    assert said(HERE, TLSSummary(TLSPolicy(control)))[-1] == expected
    assert said(HERE, OFFERED)[-1] == "try   curl --user bob ftp://127.0.0.1:2121/"
    assert said(ELSEWHERE, OFFERED)[-1].startswith("try   curl --ssl-reqd --insecure --user bob")


def test_warnings_cover_passwords_from_other_machines() -> None:
    open_hearted = TLSSummary(TLSPolicy(plaintext=True))
    assert said(HERE, open_hearted)[-1].startswith("try")
    assert (
        "plaintext passwords from other machines are accepted" in said(ELSEWHERE, open_hearted)[-1]
    )
    without = TLSSummary(TLSPolicy(ControlTLS.OFF))
    assert "without TLS, " in said(ELSEWHERE, without)[-1]
    strict = TLSSummary(TLSPolicy(ControlTLS.REQUIRED, plaintext=True))
    assert said(ELSEWHERE, strict)[-1].startswith("try")


def test_a_shipped_password_behind_a_load_balancer_is_warned_of() -> None:
    place = ListeningAddress(IPv4Address("TCP", "127.0.0.1", 21), proxied=True)
    note = banner_lines("memory:", LoginSummary(names=("demo",), demo="demo"), [place], OFFERED)[-1]
    assert note.startswith("  note  the password of demo is public")
    assert "note" not in banner_lines("memory:", LoginSummary(names=("bob",)), [place], OFFERED)[-1]


def test_other_kinds_of_address_are_listed_without_a_command() -> None:
    lines = banner_lines(
        "memory:", LoginSummary(), [ListeningAddress(UNIXAddress("/run/ftp.sock"))], OFFERED
    )
    assert lines[-3:] == [
        "  for   no accounts yet",
        "  at    unix:/run/ftp.sock",
        "  tls   offered",
    ]
    assert ListeningAddress(HostnameAddress(b"x", 1)).url() == str(HostnameAddress(b"x", 1))


def test_a_long_list_of_names_is_cut() -> None:
    audience = LoginSummary(tuple("abcdefg"), ("UNIXChecker",), "/pub")
    assert list(audience.lines()) == [
        "a, b, c, d, e and 2 more",
        "accounts of UNIXChecker",
        "anonymous users (read-only, in /pub)",
    ]


def test_the_simple_protocol_is_tried_by_hand() -> None:
    simple = ListeningAddress(IPv4Address("TCP", "0.0.0.0", 1452), scheme="simple")
    secured = ListeningAddress(IPv4Address("TCP", "127.0.0.1", 1453), scheme="simples")
    assert secured.url() == "simples://127.0.0.1:1453/"
    audience = LoginSummary(names=("demo",), demo="demo")
    lines = banner_lines("local:/srv", audience, [HERE, simple, secured], OFFERED)
    hand = r"printf 'USER demo\nPASS demo\nLIST\nQUIT\n' | curl -sS telnet://127.0.0.1:1452"
    assert f"        {hand}" in lines
