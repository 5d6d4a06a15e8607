"""The certificate that we make for whoever has none."""

import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from ftpservice.net.tls import self_signed
from ftpservice.net.tls.certificate_file import load_certificate
from ftpservice.net.tls.self_signed import self_signed_certificate


def test_it_is_made_in_a_directory_of_its_own_and_nobody_else_may_read_it(tmp_path):
    path = self_signed_certificate(tmp_path / "a" / "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    seen = load_certificate(path, None)
    assert seen.not_after > datetime.now(UTC) + timedelta(days=3000)


def test_it_is_kept(tmp_path):
    before = self_signed_certificate(tmp_path).read_bytes()
    assert self_signed_certificate(tmp_path).read_bytes() == before


def test_it_is_made_anew_when_it_has_expired(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(self_signed, "LIFETIME", timedelta(hours=-1))
        before = self_signed_certificate(tmp_path).read_bytes()
    path = self_signed_certificate(tmp_path)
    assert path.read_bytes() != before
    load_certificate(path, None)


def test_what_somebody_else_has_put_there_stays(tmp_path):
    path = self_signed_certificate(tmp_path)
    path.write_bytes(b"precious")
    assert self_signed_certificate(tmp_path).read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("ftp.example", ["localhost", "ftp.example"]),
        ("localhost", ["localhost"]),
        ("", ["localhost"]),
        ("h" * 90, ["localhost", "h" * 90]),
        ("bücher", ["localhost"]),
    ],
    ids=["name", "localhost", "none", "long", "not-ascii"],
)
def test_it_has_the_names_of_this_machine(tmp_path, monkeypatch, host, names):
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert list(load_certificate(self_signed_certificate(tmp_path), None).names)[:-2] == names


def test_it_vouches_for_nobody(tmp_path):
    leaf = x509.load_pem_x509_certificate(self_signed_certificate(tmp_path).read_bytes())
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_nothing_is_left_where_it_cannot_be_written(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        self_signed_certificate(tmp_path)
    assert list(tmp_path.iterdir()) == []
