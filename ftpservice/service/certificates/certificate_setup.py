"""The certificates that the service starts with.

They are those of the settings, or one got by ACME, or a self-signed one.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from twisted.logger import Logger

from ftpservice.net.tls.certificate_copies import CertificateCopies, copy_certificates
from ftpservice.net.tls.self_signed import self_signed_certificate, usable_certificate
from ftpservice.net.tls.server import CertificateError, ServerTLS, TLSFiles, check_authorities
from ftpservice.service.acme.acme_files import ACME_DIRECTORY, AcmeFiles
from ftpservice.service.certificates.certificate_reload import FileVersion, file_versions
from ftpservice.service.settings.directories import Owner, acting_as
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.settings import ServiceSettings

__all__ = [
    "LoadedCertificates",
    "acme_directory",
    "check_certificates",
    "issued_certificates",
    "load_certificates",
    "load_or_make_certificates",
]

log = Logger("ftpservice.tls")


@dataclass(frozen=True)
class LoadedCertificates:
    """Certificates, and the files they were loaded from."""

    tls: ServerTLS
    paths: tuple[Path, ...]
    """The files to watch."""
    versions: tuple[FileVersion, ...]
    """The versions of the files before they were read."""
    is_self_signed: bool = False
    """Whether the service made the certificate."""
    copies: CertificateCopies | None = None
    """The contents of files that exist no more."""


def load_or_make_certificates(settings: ServiceSettings, owner: Owner) -> LoadedCertificates | None:
    """Load the certificates (blocks), or make one; None without TLS. Raises `CannotStart`."""
    if not settings.offers_tls:
        return None
    try:
        if settings.certificate:
            return load_certificates(settings.tls_files)
        return _issued(settings, owner) or _self_signed(settings, owner)
    except (CertificateError, OSError) as error:
        raise _refusal(settings, error) from None


def check_certificates(settings: ServiceSettings, owner: Owner) -> None:
    """Raise the `CannotStart` of `load_or_make_certificates`; creates nothing."""
    if not settings.offers_tls:
        return
    try:
        if settings.certificate:
            load_certificates(settings.tls_files)
        elif not _issued(settings, owner):
            _check_self_signed(settings, owner)
    except (CertificateError, OSError) as error:
        raise _refusal(settings, error) from None


def _refusal(settings: ServiceSettings, error: Exception) -> CannotStart:
    """Return an error that names the option."""
    text, authorities = error_text(error), settings.tls_files.client_ca
    option = "--certificate" if settings.certificate else "no certificate"
    if authorities is not None and str(authorities) in text:
        option = "--client-ca"
    return CannotStart(f"{option}: {text}")


def load_certificates(files: TLSFiles) -> LoadedCertificates:
    """Load certificates (blocks); raises `CertificateError`."""
    pairs = [path for pair in files.certificates for path in pair if path is not None]
    authorities = [files.client_ca] if files.client_ca is not None else []
    paths = (*pairs, *authorities)
    before = file_versions(paths)
    return LoadedCertificates(ServerTLS.load(files), paths, before)


def acme_directory(settings: ServiceSettings) -> Path:
    """Return the directory of the keys and the certificate of ACME."""
    assert settings.data_dir is not None
    return Path(settings.data_dir, ACME_DIRECTORY)


def issued_certificates(settings: ServiceSettings) -> LoadedCertificates:
    """Load the certificate got by ACME (blocks); raises `CertificateError`."""
    path = AcmeFiles(acme_directory(settings)).certificate_path
    return load_certificates(replace(settings.tls_files, certificates=((path, None),)))


def _issued(settings: ServiceSettings, owner: Owner) -> LoadedCertificates | None:
    """Load the certificate got by ACME, if there is one that can be used."""
    if not settings.acme or not AcmeFiles(acme_directory(settings)).certificate_path.exists():
        return None
    try:
        with acting_as(owner):
            return issued_certificates(settings)
    except CertificateError as error:
        log.warn("{reason}; clients get a self-signed certificate for now", reason=str(error))
        return None


def _check_self_signed(settings: ServiceSettings, owner: Owner) -> None:
    """Raise what `_self_signed` would; creates nothing."""
    if settings.tls_files.client_ca is not None:
        check_authorities(settings.tls_files.client_ca)
    if settings.own_directories:
        with acting_as(owner):
            path = usable_certificate(Path(settings.own_directories[0]))
            if path is not None:
                load_certificates(replace(settings.tls_files, certificates=((path, None),)))


def _self_signed(settings: ServiceSettings, owner: Owner) -> LoadedCertificates:
    """Load a self-signed certificate; it is kept in the data directory, if there is one."""
    if settings.own_directories:
        with acting_as(owner):
            path = self_signed_certificate(Path(settings.own_directories[0]))
            files = replace(settings.tls_files, certificates=((path, None),))
            return replace(load_certificates(files), is_self_signed=True)
    with tempfile.TemporaryDirectory(prefix="ftpservice-") as directory:
        path = self_signed_certificate(Path(directory))
        loaded = load_certificates(replace(settings.tls_files, certificates=((path, None),)))
        copies = copy_certificates(loaded.tls.files)
    return replace(loaded, paths=(), versions=(), is_self_signed=True, copies=copies)
