"""Checks certificates and keys in files before OpenSSL loads them.

The errors of OpenSSL ("key values mismatch") name no file, and it may ask the terminal for a
passphrase. The errors here name the file and what is wrong with it.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from twisted.logger import Logger

from ftpservice.linux import read_regular_file

__all__ = [
    "MAX_PEM_BYTES",
    "CertificateError",
    "CertificateSummary",
    "key_exposure_warning",
    "load_certificate",
    "read_pem_file",
    "renewal_lead",
    "warn_if_exposed",
]

log = Logger("ftpservice.tls")

MAX_PEM_BYTES = 16 * 1024 * 1024
MAX_LEAD_SECONDS = 30 * 86_400.0
LEAD_SHARE = 1 / 3

KEY = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)


class CertificateError(Exception):
    """An error of a certificate, a key or the authorities.

    Its text is one line that names the file.
    """


@dataclass(frozen=True)
class CertificateSummary:
    """The facts of a certificate that users and clients see."""

    names: tuple[str, ...]
    """DNS names, with ``*.`` or without, and addresses; without any, those of the subject."""
    fingerprint: str
    """SHA-256, as ``AA:BB:..``."""
    not_after: datetime
    not_before: datetime


def renewal_lead(not_before: float, not_after: float) -> float:
    """Return how many seconds before its end a certificate should be renewed.

    That is 30 days, or a third of the lifetime if that is less than 90 days.
    """
    return min((not_after - not_before) * LEAD_SHARE, MAX_LEAD_SECONDS)


def read_pem_file(path: Path) -> bytes:
    """Return the content of a file; raises `CertificateError`."""
    try:
        return read_regular_file(path, MAX_PEM_BYTES, follows_links=True)
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from None


def key_exposure_warning(key: Path) -> str:
    """Return a warning if any user of this machine can read or write the file of a private key."""
    mode = stat.S_IMODE(os.stat(key).st_mode)
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return ""
    what = "read" if mode & stat.S_IROTH else "replace"
    return (
        f"every user of this machine can {what} the private key in {key} (mode {mode:03o}); "
        f"run chmod o= {key}"
    )


def warn_if_exposed(key: Path) -> None:
    """Log a warning if any user of this machine can read or write the file of a private key."""
    if line := key_exposure_warning(key):
        log.warn("{line}", line=line)


def load_certificate(chain: Path, key: Path | None) -> CertificateSummary:
    """Return the first certificate of a file; raises `CertificateError`.

    That is also raised if the key (in the same file without ``key``) does not belong to it, and if
    it is not valid today.
    """
    leaf = _leaf(chain)
    try:
        own = leaf.public_key()
        certificate = CertificateSummary(
            _names(leaf),
            leaf.fingerprint(SHA256()).hex(":").upper(),
            leaf.not_valid_after_utc,
            leaf.not_valid_before_utc,
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{chain} has a certificate of no use: {error}") from None
    if _bytes(_public_key(key or chain)) != _bytes(own):
        raise CertificateError(f"the key in {key or chain} is not that of {chain}")
    now = datetime.now(UTC)
    if now > certificate.not_after:
        raise CertificateError(f"{chain} expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC")
    if now < certificate.not_before:
        begin = certificate.not_before
        raise CertificateError(f"{chain} is not valid before {begin:%Y-%m-%d %H:%M} UTC")
    return certificate


def _leaf(chain: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(read_pem_file(chain))[0]
    except ValueError:
        raise CertificateError(f"{chain} has no certificate in PEM") from None


def _public_key(path: Path) -> PublicKeyTypes:
    found = KEY.search(read_pem_file(path))
    if found is None:
        raise CertificateError(f"{path} has no private key in PEM")
    try:
        return load_pem_private_key(found[0], None).public_key()
    except TypeError:
        raise CertificateError(
            f"the key in {path} is encrypted; it must not be encrypted"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"the key in {path} is damaged or of no known kind") from None


def _bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        others = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        subject = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(one.value) for one in subject)
    addresses = map(str, others.get_values_for_type(x509.IPAddress))
    return (*others.get_values_for_type(x509.DNSName), *addresses)
