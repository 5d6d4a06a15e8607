"""The files of a certificate got by ACME: keys, certificate, state. Everything here blocks.

Each file is replaced as a whole, and is on the disk before the next step of an order begins. Key
and certificate are in one file: whatever kills the process, they belong together.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ftpservice.linux import read_regular_file
from ftpservice.net.tls.certificate_file import MAX_PEM_BYTES
from ftpservice.service.acme.renewal_state import RenewalState, parse_state

__all__ = ["ACME_DIRECTORY", "AcmeFiles", "StoredCertificate", "UnusableFile", "parse_certificate"]

ACME_DIRECTORY = "acme"
"""In the data directory."""
MAX_STATE_BYTES = 64 * 1024
WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class UnusableFile(Exception):
    """A file has other contents than expected; ``str`` of it is one line that names the file."""


@dataclass(frozen=True)
class StoredCertificate:
    """The facts of a certificate that decide about its renewal."""

    pem: bytes
    """The certificate and its chain, without the key."""
    names: frozenset[str]
    not_before: float
    """In seconds since the epoch, as ..."""
    not_after: float
    """... the end."""
    issuer: str
    fingerprint: str
    """SHA-256, as ``AA:BB:..``."""


class AcmeFiles:
    """The files in ``directory``, which exists; they are readable by their owner only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate_path = directory / "certificate.pem"
        """The key, the certificate and its chain."""
        self._account_path = directory / "account.key"
        self._order_path = directory / "order.key"
        self._state_path = directory / "state.json"

    def state(self) -> RenewalState:
        """Return the state, a new one without a file; raises `UnusableFile`, `OSError`."""
        try:
            return parse_state(read_regular_file(self._state_path, MAX_STATE_BYTES))
        except FileNotFoundError:
            return RenewalState()
        except ValueError as error:
            raise UnusableFile(f"{self._state_path}: {error}") from None

    def save_state(self, state: RenewalState) -> None:
        """Write the state; raises `OSError`."""
        self._write(self._state_path, state.to_json())

    def account_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the key of the account, made at the first call.

        Raises `UnusableFile`, `OSError`.
        """
        key = self._key(self._account_path)
        return key if key is not None else self._new_key(self._account_path)

    def order_key(self) -> ec.EllipticCurvePrivateKey | None:
        """Return the key of the order that is not complete; None without one.

        Raises `OSError`.
        """
        try:
            return self._key(self._order_path)
        except UnusableFile:
            return None

    def new_order_key(self) -> ec.EllipticCurvePrivateKey:
        """Make a key for a new order; raises `OSError`."""
        return self._new_key(self._order_path)

    def certificate(self) -> StoredCertificate | None:
        """Return the certificate; None if there is none, or not with its key. Raises `OSError`."""
        try:
            content = read_regular_file(self.certificate_path, MAX_PEM_BYTES)
        except FileNotFoundError:
            return None
        try:
            key = load_pem_private_key(content, None)
            found = parse_certificate(content)
        except Exception:  # noqa: BLE001 - the library has many errors for what is no certificate
            return None
        return found if _spki(key) == _spki_of(found.pem) else None

    def save_certificate(self, key: ec.EllipticCurvePrivateKey, chain: bytes) -> None:
        """Write a certificate with its key; raises `OSError`.

        `ValueError` is raised if they do not belong together.
        """
        if _spki(key) != _spki_of(chain):
            raise ValueError("the certificate is for another key")
        self._write(self.certificate_path, _pem(key) + chain)

    def remove_order_key(self) -> None:
        """Remove the key of an order that is complete or given up; raises `OSError`."""
        with suppress(FileNotFoundError):
            os.unlink(self._order_path)

    def _key(self, path: Path) -> ec.EllipticCurvePrivateKey | None:
        try:
            content = read_regular_file(path, MAX_PEM_BYTES)
        except FileNotFoundError:
            return None
        try:
            key = load_pem_private_key(content, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise UnusableFile(f"{path} is not a private key; remove or restore it")
        return key

    def _new_key(self, path: Path) -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(path, _pem(key))
        return key

    def _write(self, path: Path, content: bytes) -> None:
        """Replace a file; it is on the disk afterwards."""
        temporary = path.with_name(f"{path.name}.new")
        with open(os.open(temporary, WRITE_FLAGS, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        opened = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def parse_certificate(content: bytes) -> StoredCertificate:
    """Return the first certificate of a PEM text; raises `ValueError`."""
    chain = x509.load_pem_x509_certificates(content)
    leaf = chain[0]
    try:
        others = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = others.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    return StoredCertificate(
        b"".join(one.public_bytes(Encoding.PEM) for one in chain),
        frozenset(name.lower() for name in names),
        leaf.not_valid_before_utc.timestamp(),
        leaf.not_valid_after_utc.timestamp(),
        leaf.issuer.rfc4514_string(),
        leaf.fingerprint(SHA256()).hex(":").upper(),
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _spki(key: object) -> bytes:
    public = key.public_key()  # type: ignore[attr-defined]  # every private key has it
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


def _spki_of(chain: bytes) -> bytes:
    """Return the public key of the first certificate; raises `ValueError`."""
    public = x509.load_pem_x509_certificates(chain)[0].public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
