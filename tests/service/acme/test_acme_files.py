"""Keys, certificate and state on the disk."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ftpservice.service.acme.acme_files import AcmeFiles, UnusableFile, parse_certificate
from ftpservice.service.acme.renewal_state import RenewalState
from tests.support.certificates import Authority


@pytest.fixture
def files(tmp_path: Path) -> AcmeFiles:
    place = tmp_path / "acme"
    place.mkdir()
    return AcmeFiles(place)


UNKNOWN_CURVE = """-----BEGIN EC PRIVATE KEY-----
MD4CAQEEDtA3GQ4+CIONf3SuqhOHoAcGBSuBBAAGoSADHgAEy3hicoVLUKcI9TUN
bTTSNbPelCXi1DVWh3AbwQ==
-----END EC PRIVATE KEY-----
"""
"""A key for a curve that the library does not have."""


def issued(tmp_path: Path, *names: str) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Return a key and its certificate."""
    alternatives = [x509.DNSName(name) for name in names]
    path = Authority(tmp_path).certificate("a", alternatives, lifetime=timedelta(days=60))
    content = path.read_bytes()
    key = load_pem_private_key(content, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, content[content.index(b"-----BEGIN CERTIFICATE") :]


def test_the_key_of_the_account_is_made_once_and_readable_by_its_owner_only(
    files: AcmeFiles, tmp_path: Path
) -> None:
    first = files.account_key()
    assert first.curve.name == "secp256r1"
    assert files.account_key().private_numbers() == first.private_numbers()
    path = tmp_path / "acme/account.key"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"no key", b"rsa"])
def test_another_file_in_its_place_is_named_and_kept(
    files: AcmeFiles, tmp_path: Path, content: bytes
) -> None:
    if content == b"rsa":
        other = rsa.generate_private_key(65537, 2048)
        content = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "acme/account.key"
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match=r"account\.key is not a private key"):
        files.account_key()
    assert path.read_bytes() == content


def test_each_order_has_a_key_of_its_own(files: AcmeFiles) -> None:
    assert files.order_key() is None
    first = files.new_order_key()
    kept = files.order_key()
    assert kept is not None
    assert kept.private_numbers() == first.private_numbers()
    assert files.new_order_key().private_numbers() != first.private_numbers()
    files.remove_order_key()
    files.remove_order_key()
    assert files.order_key() is None


def test_a_damaged_key_of_an_order_counts_as_none(files: AcmeFiles, tmp_path: Path) -> None:
    (tmp_path / "acme/order.key").write_bytes(b"half")
    assert files.order_key() is None


def test_key_and_certificate_are_in_one_file(files: AcmeFiles, tmp_path: Path) -> None:
    assert files.certificate() is None
    key, chain = issued(tmp_path, "A.example", "b.example")
    files.save_certificate(key, chain)
    found = files.certificate()
    assert found == parse_certificate(chain)
    assert found is not None
    assert found.names == {"a.example", "b.example"}
    assert found.not_after - found.not_before == 90 * 86_400
    assert b"PRIVATE" not in found.pem
    assert files.certificate_path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path / "acme")) == ["certificate.pem"]


def test_what_does_not_belong_together_is_never_written(files: AcmeFiles, tmp_path: Path) -> None:
    key, chain = issued(tmp_path, "a.example")
    with pytest.raises(ValueError, match="for another key"):
        files.save_certificate(ec.generate_private_key(ec.SECP256R1()), chain)
    with pytest.raises(ValueError):
        files.save_certificate(key, b"no certificate")
    assert files.certificate() is None


def test_a_damaged_certificate_counts_as_none(files: AcmeFiles, tmp_path: Path) -> None:
    key, chain = issued(tmp_path, "a.example")
    files.save_certificate(key, chain)
    content = files.certificate_path.read_bytes()
    for damaged in (content[:300], content[300:], b"", chain):
        files.certificate_path.write_bytes(damaged)
        assert files.certificate() is None


def test_a_key_of_another_kind_counts_as_none(files: AcmeFiles, tmp_path: Path) -> None:
    key, chain = issued(tmp_path, "a.example")
    files.save_certificate(key, chain)
    files.certificate_path.write_text(UNKNOWN_CURVE)
    assert files.certificate() is None


def test_the_state_is_kept_and_a_damaged_one_is_named(files: AcmeFiles, tmp_path: Path) -> None:
    assert files.state() == RenewalState()
    kept = RenewalState("https://a/", ("a.example",), 2, False, 99.0, "no")
    files.save_state(kept)
    assert files.state() == kept
    (tmp_path / "acme/state.json").write_text("{")
    with pytest.raises(UnusableFile, match=r"state\.json"):
        files.state()


def test_what_a_killed_process_left_is_overwritten(files: AcmeFiles, tmp_path: Path) -> None:
    (tmp_path / "acme/state.json.new").write_text("half")
    files.save_state(RenewalState("x"))
    assert os.listdir(tmp_path / "acme") == ["state.json"]


def test_a_link_in_the_place_of_a_new_file_is_not_followed(
    files: AcmeFiles, tmp_path: Path
) -> None:
    (tmp_path / "other").write_text("theirs")
    (tmp_path / "acme/account.key.new").symlink_to(tmp_path / "other")
    with pytest.raises(OSError):
        files.account_key()
    assert (tmp_path / "other").read_text() == "theirs"


@pytest.mark.parametrize("name", ["account.key", "order.key", "state.json", "certificate.pem"])
def test_links_are_not_read_and_a_fifo_is_not_waited_for(
    files: AcmeFiles, tmp_path: Path, name: str
) -> None:
    """The user of the service owns the directory, and root reads in it at the start."""
    (tmp_path / "other").write_text("secret")
    (tmp_path / "acme" / name).symlink_to(tmp_path / "other")
    read = {
        "account.key": files.account_key,
        "order.key": files.order_key,
        "state.json": files.state,
        "certificate.pem": files.certificate,
    }[name]
    with pytest.raises(OSError, match="it is a symbolic link"):
        read()
    (tmp_path / "acme" / name).unlink()
    os.mkfifo(tmp_path / "acme" / name)
    with pytest.raises(OSError, match="it is not a regular file"):
        read()
