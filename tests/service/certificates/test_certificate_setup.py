"""With which certificates the service begins."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ftpservice.service.certificates.certificate_setup import load_or_make_certificates
from ftpservice.service.settings.directories import NO_CHANGE
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.settings import settings_from
from ftpservice.session.tls_policy import ControlTLS
from tests.support.certificates import Authority
from tests.support.unprivileged import NOBODY, needs_root


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def loaded(**given: Any) -> Any:
    settings = settings_from({name.replace("_", "-"): value for name, value in given.items()})
    for path in settings.own_directories:
        os.makedirs(path, 0o700, exist_ok=True)
    return load_or_make_certificates(settings, NO_CHANGE)


def test_without_tls_there_are_no_certificates(tmp_path: Path) -> None:
    assert loaded(tls=ControlTLS.OFF, data_dir=str(tmp_path / "own")) is None
    assert not (tmp_path / "own" / "certificate.pem").exists()


def test_one_of_our_own_is_made_and_kept(tmp_path: Path) -> None:
    first = loaded(data_dir=str(tmp_path))
    assert first.is_self_signed
    [path] = first.paths
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o777 == 0o600
    again = loaded(data_dir=str(tmp_path))
    assert [one.fingerprint for one in again.tls.certificates] == [
        one.fingerprint for one in first.tls.certificates
    ]
    assert first.versions == again.versions != (None,)


def test_without_a_data_directory_it_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    first, second = loaded(root="memory:"), loaded(root="memory:")
    assert first.is_self_signed
    assert first.paths == first.versions == ()
    assert first.tls.certificates != second.tls.certificates
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_it_belongs_to_the_user_that_the_service_becomes(open_place: Path) -> None:
    """That user could put a link in its place, through which root must not read or give away."""
    settings = settings_from({"root": "/x", "data-dir": str(open_place)})
    secret = load_or_make_certificates(settings, NO_CHANGE)
    assert secret is not None
    path, other = open_place / "certificate.pem", open_place / "other.pem"
    path.rename(other)
    os.chown(open_place, NOBODY, 77)
    load_or_make_certificates(settings, (NOBODY, 77))
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (NOBODY, 77, 0o600)
    path.unlink()
    path.symlink_to(other)
    with pytest.raises(CannotStart, match=r"certificate.pem cannot be read: Permission denied"):
        load_or_make_certificates(settings, (NOBODY, 77))
    assert other.stat().st_uid == 0


def test_files_of_the_settings_are_watched(authority: Authority, tmp_path: Path) -> None:
    path = authority.certificate("a.example")
    key = path.with_suffix(".key")
    key.write_bytes(path.read_bytes())
    found = loaded(certificate=(str(path),), key=(str(key),), client_ca=str(authority.path))
    assert not found.is_self_signed
    assert found.paths == (path, key, authority.path)
    assert len(found.versions) == 3
    assert None not in found.versions


@pytest.mark.parametrize("kind", ["missing", "expired", "garbage", "directory"])
def test_what_is_wrong_with_them_is_one_line(
    authority: Authority, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "wrong.pem"
    if kind == "expired":
        path = authority.certificate("old", lifetime=-timedelta(days=1))
    elif kind == "garbage":
        path.write_text("no certificate")
    elif kind == "directory":
        path.mkdir()
    with pytest.raises(CannotStart) as raised:
        loaded(certificate=(str(path),))
    assert raised.value.line.startswith("--certificate: ")
    assert path.name in raised.value.line
    assert "\n" not in raised.value.line


def test_a_missing_file_of_authorities_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"^--client-ca: .*none\.pem"):
        loaded(client_ca=str(tmp_path / "none.pem"))


def test_without_a_certificate_the_service_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "certificate.pem").write_text("something else")
    with pytest.raises(CannotStart, match=r"certificate\.pem"):
        loaded(data_dir=str(tmp_path))
