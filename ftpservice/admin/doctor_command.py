"""``ftpservice doctor``: looks for what keeps the service or its clients from working."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import click
from cryptography import x509

from ftpservice.admin.checks.account_checks import check_account_data, check_accounts
from ftpservice.admin.checks.acme_checks import check_acme, renewed_expiry_finding
from ftpservice.admin.checks.bucket_checks import check_bucket_of
from ftpservice.admin.checks.cluster_checks import check_cluster
from ftpservice.admin.checks.finding import Finding, Level, error, good, warning
from ftpservice.admin.checks.machine_checks import (
    check_clock,
    check_descriptors,
    check_directory,
    check_file_system,
    check_home,
    check_passive_ports,
    check_processes,
)
from ftpservice.admin.checks.network_checks import (
    CertificateCheck,
    RemoteLogin,
    ServicePort,
    check_service,
    expiry_finding,
    own_address,
)
from ftpservice.admin.command_output import FAILED_STATUS
from ftpservice.admin.config_commands import SERVE_OPTIONS, parsed_options
from ftpservice.admin.password_input import read_password
from ftpservice.backends.strings import directory_of

__all__ = ["doctor"]

DEFAULT_PORT = 21
FTP_LISTENERS = ("listen", "implicit")
ANY_HOST = ("", "0.0.0.0", "::")
MARKS = {Level.GOOD: "ok     ", Level.WARNING: "warning", Level.ERROR: "ERROR  "}


@click.command("doctor", short_help="Look for what keeps clients from working.", **SERVE_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of findings.")
@click.option(
    "--from-outside",
    metavar="HOST[:PORT]",
    help="Check a service elsewhere as its clients see it; nothing of this machine is checked.",
)
@click.option("--user", "name", metavar="NAME", help="With --from-outside: log in and transfer.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="")
def doctor(
    as_json: bool,
    from_outside: str | None,
    name: str | None,
    password_stdin: bool,
    words: Sequence[str],
) -> None:
    """Check settings, accounts, directories, limits, clock, ports and TLS, and say what to do.

    Give the options of the service, such as --config FILE, last. Run it as the user of the
    service. Firewalls and routers show only from another machine: install ftpservice there and
    use --from-outside. The exit status is 1 if there is an error.
    """
    if from_outside is not None:
        where = ServicePort(*_address(from_outside))
        login = RemoteLogin(name, read_password(password_stdin, twice=False)) if name else None
        found = check_service(where, login)
    elif name is not None:
        raise click.UsageError("--user needs --from-outside")
    else:
        found = check_here(parsed_options(words))
    findings = []
    for finding in found:
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        click.echo(json.dumps([_json(finding) for finding in findings], indent=1))
    if any(finding.level is Level.ERROR for finding in findings):
        raise SystemExit(FAILED_STATUS)


def _address(text: str) -> tuple[str, int]:
    """Return host and port of HOST, HOST:PORT or [HOST]:PORT; raises `click.UsageError`."""
    match = re.fullmatch(r"\[(.+)\](?::(\d+))?|([^:]+)(?::(\d+))?|(.*::?.*:.*)", text)
    if match is None:
        raise click.UsageError(f"--from-outside: {text!r} is not HOST or HOST:PORT")
    port = int(match[2] or match[4] or DEFAULT_PORT)
    return match[1] or match[3] or match[5], port


def check_here(options: Any) -> Iterator[Finding]:
    """Check this machine for a service with these options."""
    settings = options.settings
    yield from _check_start(options)
    yield from check_accounts(options.checkers)
    yield from check_account_data(settings.data_dir, options.checkers)
    yield from _check_directories(settings)
    yield from check_descriptors(settings.max_sessions)
    yield from check_processes()
    yield from check_clock()
    passive = settings.passive_ports, settings.max_sessions, settings.passive_port
    yield from check_passive_ports(*passive)
    yield from _check_cluster(settings)
    yield from _check_buckets(options)
    yield from _check_masquerade(settings)
    if settings.offers_tls:
        for chain, _key in settings.tls_files.certificates:
            yield from _check_chain(chain)
    if settings.acme:
        yield from check_acme(settings)
    for option, where in _tcp_addresses(settings):
        if option == "listen" and where.port:
            here = where._replace(host="127.0.0.1") if where.host in ANY_HOST else where
            yield from check_service(here, None, _certificate_check(settings))


def _check_directories(settings: Any) -> Iterator[Finding]:
    root = directory_of(settings.root)
    for path in dict.fromkeys((*settings.own_directories, *([root] if root else []))):
        yield from check_directory("directory", path)
    if root:
        yield from check_file_system("root", root)
        yield from check_home(root)


def _check_cluster(settings: Any) -> Iterator[Finding]:
    from ftpservice.service.cluster.cluster_setup import cluster_plan

    url = cluster_plan(settings)
    if url is not None:
        yield from check_cluster(url, settings.node_name)


def _check_buckets(options: Any) -> Iterator[Finding]:
    from ftpservice.accounts.stores.account_buckets import MAX_BUCKETS, account_buckets
    from ftpservice.backends.strings import bucket_of

    if find_spec("botocore") is None:  # the extra s3
        return
    try:
        root = bucket_of(options.settings.root)
    except ValueError:  # which the settings are told to have
        root = None
    if root is not None:
        yield from check_bucket_of("root", root)
    for place, bucket in account_buckets(options.checkers)[:MAX_BUCKETS]:
        yield from check_bucket_of(place, bucket)


def _certificate_check(settings: Any) -> CertificateCheck:
    """Return what the certificate of the service should be."""
    if settings.acme:
        return CertificateCheck(renewed_expiry_finding, settings.acme[0])
    return CertificateCheck(expiry_finding)


def _check_start(options: Any) -> Iterator[Finding]:
    from ftpservice.service.privileges import Privileges
    from ftpservice.service.settings.errors import CannotStart
    from ftpservice.service.start_check import settings_warnings
    from ftpservice.service.tap import installed_reactor

    try:
        privileges = Privileges(options, str)
        try:
            privileges.refuse_root()
        except CannotStart as caught:
            yield warning("settings", caught.line, "run this command as the user of the service")
        for line in settings_warnings(options, installed_reactor()):
            yield warning("settings", line, "see docs/administrators.md")
    except CannotStart as caught:
        yield error("settings", caught.line, "the service would not start")
    else:
        yield good("settings", "the service would start")


def _check_masquerade(settings: Any) -> Iterator[Finding]:
    listeners = [where for option, where in _tcp_addresses(settings) if option in FTP_LISTENERS]
    if not any(where.host in ANY_HOST for where in listeners):
        return
    address = own_address()
    if settings.passive_address:
        yield good("NAT", "passive-address is set")
    elif all(where.is_proxied for where in listeners):
        yield good("NAT", "PASV announces the address of the balancer that a client connects to")
    elif address and ip_address(address).is_private:
        text = f"this machine's address {address} is private, and PASV announces it"
        yield warning("NAT", text, "for clients beyond a router set passive-address")
    else:
        yield good("NAT", "the address of this machine is announced")


def _check_chain(path: Any) -> Iterator[Finding]:
    """Check the files of a certificate: expiry, and whether its chain is complete."""
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as caught:
        yield error("certificate", f"{path}: {caught}", "set certificate to a PEM file")
        return
    yield expiry_finding("certificate", chain[0])
    for issued, issuer in pairwise(chain):
        if issued.issuer != issuer.subject:
            text = f"{path}: {issued.subject.rfc4514_string()} was not issued by the next one"
            yield error("certificate", text, "put the certificate first, then its issuers in order")
            return
    last = chain[-1]
    if len(chain) == 1 and last.issuer != last.subject:
        text = f"{path} has no intermediate certificate of {last.issuer.rfc4514_string()}"
        yield warning("certificate", text, "use the file with the full chain (fullchain.pem)")
    else:
        yield good("certificate", f"{path}: the chain is complete")


def _tcp_addresses(settings: Any) -> Iterator[tuple[str, ServicePort]]:
    """Yield the option of every TCP listener, and where it listens."""
    from ftpservice.service.assembly import listeners_for
    from ftpservice.service.tap import installed_reactor

    for listener in listeners_for(settings, installed_reactor()):
        port = getattr(listener.endpoint, "_port", None)
        if isinstance(port, int):
            host = getattr(listener.endpoint, "_interface", "")
            yield listener.option, ServicePort(host, port, listener.proxied)


def _print(finding: Finding) -> None:
    click.echo(f"{MARKS[finding.level]}  {finding.subject}: {finding.text}")
    if finding.level is not Level.GOOD and finding.advice:
        click.echo(f"         {finding.advice}")


def _json(finding: Finding) -> dict[str, str]:
    return asdict(finding) | {"level": finding.level.value}
