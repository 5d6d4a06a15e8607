"""A real LDAP server: OpenLDAP's slapd with a few accounts, on ports and a directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.ports import reserved_port
from tests.support.certificates import Authority
from tests.support.frozen_process import freeze
from tests.support.run_watcher import end_with_run
from tests.support.service_process import PATIENCE

__all__ = [
    "ACCOUNTS",
    "BASE",
    "GROUPS",
    "PEOPLE",
    "ROOT_DN",
    "ROOT_PASSWORD",
    "SERVICE_DN",
    "SERVICE_PASSWORD",
    "Slapd",
    "account_entry",
]

PROGRAM = shutil.which("slapd") or "/usr/sbin/slapd"
ADD_PROGRAM = shutil.which("slapadd") or "/usr/sbin/slapadd"
BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
SERVICE_DN = f"cn=ftp,{BASE}"
SERVICE_PASSWORD = "service pass"
ROOT_DN, ROOT_PASSWORD = f"cn=admin,{BASE}", "admin pass"
CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {certificate}
database mdb
maxsize 10485760
suffix "{base}"
rootdn "{root}"
rootpw "{root_password}"
directory "{directory}"
index uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.base="{service}" read by self read by * none
"""
ENTRIES = f"""
dn: {BASE}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: {SERVICE_DN}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: ftp
userPassword: {SERVICE_PASSWORD}

dn: cn=ftp-admins,{GROUPS}
objectClass: groupOfNames
cn: ftp-admins
member: uid=ann,{PEOPLE}

dn: cn=partners,{GROUPS}
objectClass: posixGroup
cn: partners
gidNumber: 500
memberUid: ben
memberUid: dan
"""
ACCOUNT = """
dn: {dn}
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: shadowAccount
uid: {name}
cn: {name}
sn: {name}
uidNumber: 1000
gidNumber: 1000
homeDirectory: {home}
userPassword: {password}
mail: {name}@example.org
"""
ACCOUNTS = {
    "ann": "employeeType: FALSE\ndescription: 10M\n",
    "ben": "",
    "cat": "employeeType: TRUE\n",
    "dan": "description: much\n",
    "eve": "shadowExpire: 10\n",
}
"""The names; the password of ``ann`` is ``ann pass``."""


class Slapd:
    """A running server, whose certificate is for 127.0.0.1 and ``localhost``; a context manager."""

    def __init__(self, directory: Path, more_entries: str = "") -> None:
        self.directory = directory / "slapd"
        database = self.directory / "database"
        database.mkdir(parents=True)
        self.authority = Authority(self.directory, "directory-authority")
        self.ca = self.authority.path
        self._reserved = ExitStack()
        self.port, self.tls_port = (self._reserved.enter_context(reserved_port()) for _ in range(2))
        self._configuration = self.directory / "slapd.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                authority=self.ca,
                certificate=self.authority.certificate("server"),
                base=BASE,
                root=ROOT_DN,
                root_password=ROOT_PASSWORD,
                directory=database,
                service=SERVICE_DN,
            )
        )
        self.password_file = self.directory / "service.password"
        self.password_file.write_text(f"{SERVICE_PASSWORD}\n")
        self.password_file.chmod(0o600)
        people = "".join(account_entry(name, more) for name, more in ACCOUNTS.items())
        subprocess.run(
            [ADD_PROGRAM, "-f", str(self._configuration)],
            input=ENTRIES + people + more_entries,
            text=True,
            check=True,
            capture_output=True,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def __enter__(self) -> Slapd:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._reserved.close()

    @property
    def url(self) -> str:
        """The URL without TLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The URL with TLS from the first byte."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        urls = f"{self.url} {self.tls_url}"
        self._process = subprocess.Popen(
            [PROGRAM, "-d", "0", "-f", str(self._configuration), "-h", urls],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end_with_run(self._process)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
            except OSError:
                assert self._process.poll() is None, "slapd ended"
                assert time.monotonic() < deadline, "slapd does not listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop the server."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(PATIENCE)

    def freeze(self) -> None:
        """Stop the server by SIGSTOP: it accepts connections and never answers."""
        assert self._process is not None
        freeze(self._process.pid)

    def thaw(self) -> None:
        """Let the server go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def modify(self, name: str, change: str) -> None:
        """Change an account, as ``replace: attribute`` and its lines in LDIF."""
        subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", ROOT_DN, "-w", ROOT_PASSWORD],
            input=f"dn: uid={name},{PEOPLE}\nchangetype: modify\n{change}\n",
            text=True,
            check=True,
            capture_output=True,
        )


def account_entry(name: str, more: str = "", home: str = "", dn: str = "") -> str:
    """Return the entry of an account in LDIF."""
    dn = dn or f"uid={name},{PEOPLE}"
    entry = ACCOUNT.format(dn=dn, name=name, home=home or f"/home/{name}", password=f"{name} pass")
    return entry + more
