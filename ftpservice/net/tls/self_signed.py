"""Self-signed certificates: no authority has issued them, but clients can pin them."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ftpservice.net.tls.certificate_file import read_pem_file

__all__ = ["self_signed_certificate", "usable_certificate"]

CERTIFICATE_FILE = "certificate.pem"
LIFETIME = timedelta(days=3650)
BACKDATED_BY = timedelta(days=1)
"""How far the clocks of clients may be slow."""
MAX_COMMON_NAME_LENGTH = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""


def self_signed_certificate(directory: Path) -> Path:
    """Return the file with our own certificate and its key; made when it is missing or expired.

    Blocks; raises `OSError`, `CertificateError`. A file of that name with something else in it
    stays as it is.
    """
    path = usable_certificate(directory)
    if path is None:
        path = directory / CERTIFICATE_FILE
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(path, _made(socket.gethostname()))
    return path


def usable_certificate(directory: Path) -> Path | None:
    """Return the file with our own certificate; None if one would be made.

    Raises `OSError`, `CertificateError`.
    """
    path = directory / CERTIFICATE_FILE
    return None if not path.exists() or _has_expired(path) else path


def _has_expired(path: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(read_pem_file(path))
    except ValueError:
        return False
    return certificate.not_valid_after_utc <= datetime.now(UTC)


def _made(host: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, host[:MAX_COMMON_NAME_LENGTH] or "localhost")]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(now + LIFETIME)
        .add_extension(_names(host), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _names(host: str) -> x509.SubjectAlternativeName:
    names = ["localhost"]
    if host.isascii() and host not in ("", "localhost"):
        names.append(host)
    addresses = [x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "::1")]
    return x509.SubjectAlternativeName([*map(x509.DNSName, names), *addresses])


def _put(path: Path, content: bytes) -> None:
    """Write a file with the mode 0600, completely or not at all."""
    descriptor, passing = tempfile.mkstemp(prefix=".certificate-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(passing)
        raise
