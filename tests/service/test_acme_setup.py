"""What the service assembles for ACME, and what keeps it from starting."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.net.tls.certificate_file import CertificateSummary
from ftpservice.service import acme_setup
from ftpservice.service.acme_setup import check_acme_start, expiry_advice
from ftpservice.service.settings.acme import AcmeChallenge
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.settings import settings_from

DAY = 86_400.0


def settings(tmp_path: Path, **more: Any) -> Any:
    given = {"acme": ("ftp.example.com",), "acme-agree-tos": True, "data-dir": str(tmp_path)}
    return settings_from(given | {name.replace("_", "-"): value for name, value in more.items()})


def test_the_listeners_are_those_of_the_challenge(tmp_path: Path) -> None:
    [http] = check_acme_start(settings(tmp_path), Clock())
    assert (http.option, http.text) == ("acme-http", "tcp:80")
    two = settings(
        tmp_path, acme_challenge=AcmeChallenge.TLS_ALPN, acme_tls=("tcp:443", "tcp6:443")
    )
    assert [one.text for one in check_acme_start(two, Clock())] == ["tcp:443", "tcp6:443"]


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acme_setup, "find_spec", lambda name: None)
    with pytest.raises(CannotStart, match=r"run: pip install 'ftpservice\[acme\]'"):
        check_acme_start(settings(tmp_path), Clock())


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CannotStart, match=r"--acme-ca-file: .*ca\.pem"):
        check_acme_start(settings(tmp_path, acme_ca_file=str(path)), Clock())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file"),
        (b"", "something else than a key"),
        (b"key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "something else than a key"),
        (b"AAAA+AAAAAAAAAAA/AAAAAAAAAAAAAAA\n", "something else than a key"),
        (b"AAAA\n", "the key is too short"),
        (b"AAAAAAAAAAAAAAAAAAAAAAAAA", "key"),
        (b"\xff" * 40, "something else than a key"),
        (b"A" * 5000, "it is larger than 4096 bytes"),
    ],
)
def test_a_file_that_is_no_key_of_an_account_is_named(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "eab.key"
    if content is not None:
        path.write_bytes(content)
    given = settings(tmp_path, acme_eab_key_id="kid", acme_eab_key_file=str(path))
    with pytest.raises(CannotStart, match=rf"--acme-eab-key-file: .*eab\.key: .*{why}") as raised:
        check_acme_start(given, Clock())
    assert "AAAA" not in raised.value.line


def test_an_endpoint_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="--acme-http nowhere:80 is not an endpoint"):
        check_acme_start(settings(tmp_path, acme_http=("nowhere:80",)), Clock())


def test_an_expiry_is_warned_of_only_if_the_renewal_is_overdue() -> None:
    begin, end = (datetime.fromtimestamp(days * DAY, UTC) for days in (0, 90))
    certificate = CertificateSummary(("a.example",), "AA", end, begin)
    assert expiry_advice(certificate, 70 * DAY) == ""
    assert "the log says why" in expiry_advice(certificate, 80 * DAY)
