"""What the doctor says about certificates by ACME."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.servers.running import free_port
from ftpservice.admin.acme_checks import check_acme, renewed_expiry_finding
from ftpservice.admin.finding import Finding, Level
from ftpservice.service.acme.acme_files import AcmeFiles
from ftpservice.service.acme.renewal_state import RenewalState
from ftpservice.service.settings.settings import settings_from
from tests.support.pebble import Pebble, pebble_is_missing

NAMES = {"own.example": "127.0.0.1", "router.example": "203.0.113.7"}


def resolved(host: str, *_words: object, **_more: object) -> list[Any]:
    if host not in NAMES:
        raise socket.gaierror(-2, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (NAMES[host], 0))]


def findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> list[Finding]:
    values = {
        "acme": ("own.example", "router.example", "none.example"),
        "acme-agree-tos": True,
        "acme-directory": f"https://127.0.0.1:{free_port()}/dir",
        "data-dir": str(tmp_path),
    }
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolved)
        names, rest = [], []
        for finding in check_acme(settings_from(values)):
            (names if ".example" in finding.text else rest).append(finding)
            if len(names) == 3:
                patched.undo()
        return [*names, *rest]


def test_names_authority_and_attempts_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    state = RenewalState().with_failure(False, 1_800_000_000.0, "refused by dns")
    AcmeFiles(tmp_path / "acme").save_state(state)
    own, router, none, authority, certificate, failed = findings(tmp_path, monkeypatch)
    assert (own.level, own.text) == (Level.GOOD, "own.example leads to this machine")
    assert router.level is Level.WARNING
    assert "203.0.113.7, which is no address of this machine" in router.text
    assert (none.level, none.advice) == (Level.ERROR, "create its A or AAAA record")
    assert authority.level is Level.ERROR
    assert "cannot be reached: connection refused" in authority.text
    assert (certificate.level, certificate.text) == (
        Level.WARNING,
        "there is no certificate yet",
    )
    assert failed.level is Level.ERROR
    assert "1 attempts have failed, the last one: refused by dns" in failed.text
    assert "2027-01-15" in failed.advice


def test_files_that_cannot_be_read_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/state.json").write_text("{")
    last = findings(tmp_path, monkeypatch)[-1]
    assert last.level is Level.ERROR
    assert "state.json" in last.text


@pytest.mark.parametrize(
    ("lifetime", "left", "level"),
    [
        (90, 60, Level.GOOD),
        (90, 29, Level.GOOD),
        (90, 14, Level.WARNING),
        (6, 5, Level.GOOD),
        (6, 1.5, Level.GOOD),
        (6, 0.9, Level.WARNING),
        (6, -0.1, Level.ERROR),
    ],
)
def test_a_certificate_is_warned_of_only_if_its_renewal_is_overdue(
    lifetime: float, left: float, level: Level
) -> None:
    found = renewed_expiry_finding("ACME", certificate(lifetime, left))
    assert found.level is level
    assert ("the service running?" in found.advice) is (level is not Level.GOOD)


def certificate(lifetime: float, left: float) -> x509.Certificate:
    """Return a certificate that is valid for days, and for others from now on."""
    key, end = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + timedelta(left)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - timedelta(lifetime))
        .not_valid_after(end)
        .sign(key, SHA256())
    )


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme").mkdir()
    monkeypatch.delitem(sys.modules, "ftpservice.service.acme.authority", raising=False)
    monkeypatch.setitem(sys.modules, "acme", None)
    found = findings(tmp_path, monkeypatch)
    advice = "pip install 'ftpservice[acme]'"
    assert Finding("ACME", Level.ERROR, "its packages are not installed", advice) in found


@pebble_is_missing
def test_an_authority_that_answers_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pebble(tmp_path) as pebble:
        given = {"acme_directory": pebble.url, "acme_ca_file": str(pebble.ca_file)}
        found = findings(tmp_path, monkeypatch, **given)
    assert Finding("ACME", Level.GOOD, f"{pebble.url} answers") in found
