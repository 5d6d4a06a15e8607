"""Certificates and keys as bytes, for a process that cannot read their files.

A service that starts as root reads keys that only root can read, and then becomes another user. The
processes that it starts later get the contents; OpenSSL loads them from files in memory.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ftpservice.net.tls.certificate_file import read_pem_file
from ftpservice.net.tls.server import ServerTLS, TLSFiles

__all__ = ["CertificateCopies", "copy_certificates", "tls_from_copies"]

KEY_MODE = 0o600


class CertificateCopies(NamedTuple):
    """The contents of `TLSFiles`."""

    certificates: tuple[tuple[bytes, bytes | None], ...]
    client_ca: bytes | None


def copy_certificates(files: TLSFiles) -> CertificateCopies:
    """Read the files (blocks); raises `CertificateError`."""
    pairs = tuple(
        (read_pem_file(chain), None if key is None else read_pem_file(key))
        for chain, key in files.certificates
    )
    return CertificateCopies(
        pairs, None if files.client_ca is None else read_pem_file(files.client_ca)
    )


def tls_from_copies(copies: CertificateCopies) -> ServerTLS:
    """Return the certificates; raises `CertificateError`."""
    with ExitStack() as opened:

        def path(content: bytes) -> Path:
            descriptor = os.memfd_create("ftpservice-certificate", os.MFD_CLOEXEC)
            opened.callback(os.close, descriptor)
            os.fchmod(descriptor, KEY_MODE)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            return Path(f"/proc/self/fd/{descriptor}")

        pairs = tuple(
            (path(chain), None if key is None else path(key)) for chain, key in copies.certificates
        )
        authorities = None if copies.client_ca is None else path(copies.client_ca)
        return ServerTLS.load(TLSFiles(pairs, authorities))
