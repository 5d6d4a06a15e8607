"""Certificates and keys as bytes: what a process that cannot read the files makes of them."""

import os
from pathlib import Path

import pytest

from ftpservice.net.tls.certificate_copies import (
    CertificateCopies,
    copy_certificates,
    tls_from_copies,
)
from ftpservice.net.tls.server import CertificateError, TLSFiles
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_copies_load_after_the_files_are_gone(authority: Authority) -> None:
    chain = authority.certificate("server")
    copies = copy_certificates(TLSFiles(((chain, None),)))
    assert copies == (((chain.read_bytes(), None),), None)
    chain.unlink()
    assert tls_from_copies(copies) is not None


def test_key_and_authorities_are_copied_too(authority: Authority) -> None:
    both = authority.certificate("server")
    copies = copy_certificates(TLSFiles(((both, both),), both))
    assert copies.certificates == ((both.read_bytes(), both.read_bytes()),)
    assert copies.client_ca == both.read_bytes()
    assert tls_from_copies(copies) is not None


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_bad_contents_are_an_error_and_leave_nothing_open(content: bytes) -> None:
    before = open_descriptors()
    with pytest.raises(CertificateError):
        tls_from_copies(CertificateCopies(((content, None),), None))
    assert open_descriptors() == before


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CertificateError):
        copy_certificates(TLSFiles(((tmp_path / "none.pem", None),)))
