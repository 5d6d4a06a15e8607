"""A certificate authority for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority", "spoil"]

SIGNING = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
"""What the key of an authority is for; Python 3.13 verifies it and the identifiers of keys."""


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """Signs certificates; its own is in the file ``path``."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self.path = directory / f"{name}.pem"
        own = self._builder(self._name, self._key.public_key(), timedelta(days=9))
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        own = own.add_extension(SIGNING, critical=True)
        own = own.add_extension(self._key_identifier, critical=False)
        self.path.write_bytes(self._signed(own))

    def certificate(
        self,
        name: str,
        alternatives: Sequence[x509.GeneralName] = (),
        file: str = "",
        lifetime: timedelta = timedelta(days=9),
    ) -> Path:
        """Return a file with the key and certificate of ``name`` and of 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(name), key.public_key(), lifetime)
        names = [*alternatives, x509.IPAddress(ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            self._key_identifier
        )
        builder = builder.add_extension(issuer, critical=False)
        path = self._directory / (file or f"{name}.pem")
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        written = key.private_bytes(serialization.Encoding.PEM, *plain) + self._signed(builder)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(written)
        return fresh.replace(path)

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + lifetime)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


def spoil(how: str, path: Path, authority: Authority) -> None:
    """Put something wrong where a certificate was."""
    other = authority.certificate("other").read_bytes()
    own = path.read_bytes()
    path.unlink()
    match how:
        case "garbage":
            path.write_bytes(b"nonsense")
        case "expired":
            authority.certificate("one", file=path.name, lifetime=-timedelta(days=1))
        case "key":
            mark = b"-----BEGIN CERT"
            path.write_bytes(other[: other.index(mark)] + own[own.index(mark) :])
        case "directory":
            path.mkdir()
