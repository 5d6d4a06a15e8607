"""The servers in C, each with its own configuration: no system users, no PAM, no logs.

Only what the jobs need is configured: no limits, no look-ups, one account that may write. The
programs are those of ``install-peers`` or, without them, of the system.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.jobs import Profile
from benchmarks.programs import PEERS
from benchmarks.servers.recipe import USER, Peer, Place, Start

__all__ = ["proftpd", "proftpd_configuration", "pure_ftpd", "vsftpd", "vsftpd_configuration"]

PLACES = (PEERS / "usr/sbin", Path("/usr/sbin"), Path("/usr/local/sbin"))
MD5_CRYPT = "$1$bench$IDaFocGqo.f39hZ5dc3P7."
"""The hash of the password for ProFTPD, which does not support argon2."""
SESSIONS_OF_FORKING_SERVER = 1008
PROFILES = (Profile.PLAIN, Profile.FRESH, Profile.TLS, Profile.SIMPLE)
NOBODY = "nobody"
PURE_OPTIONS = (
    "-4", "-H", "-A", "-j", "-u", "1", "-c", "20000", "-C", "20000", "-I", "600",
    "-L", "20000:10", "-U", "022", "-f", "none",
)  # fmt: skip

Recipe = Callable[[Profile, Place], Start | None]


def vsftpd(name: str) -> Peer | None:
    """Return vsftpd with an anonymous account: others would need PAM."""
    if (program := _found("vsftpd")) is None or os.geteuid() != 0:
        return None

    def recipe(place: Place) -> Start:
        path = place.work / "vsftpd.conf"
        empty = place.work / "empty"
        empty.mkdir(exist_ok=True)
        path.write_text(vsftpd_configuration(place, empty), encoding="utf-8")
        path.chmod(0o600)
        return Start((program, path), _libraries(), user="anonymous")

    return Peer(name, _version(program, "-v"), _plain(recipe), True, SESSIONS_OF_FORKING_SERVER)


def vsftpd_configuration(place: Place, empty: Path) -> str:
    """Return the configuration file; ``empty`` is an empty directory."""
    return "\n".join([
        "listen=YES", "listen_address=127.0.0.1", f"listen_port={place.port}", "background=NO",
        "anonymous_enable=YES", "local_enable=NO", "no_anon_password=NO",
        f"ftp_username={_user_with_home().pw_name}",
        f"anon_root={place.root}", f"secure_chroot_dir={empty}",
        "write_enable=YES", "anon_upload_enable=YES", "anon_mkdir_write_enable=YES",
        "anon_other_write_enable=YES", "anon_world_readable_only=NO", "anon_umask=022",
        "allow_writeable_chroot=YES", "ascii_upload_enable=YES", "ascii_download_enable=YES",
        "xferlog_enable=NO", "connect_from_port_20=NO",
        "max_clients=0", "max_per_ip=0", "idle_session_timeout=7200",
        "data_connection_timeout=300",
        *_secured_vsftpd(place),
    ]) + "\n"  # fmt: skip


def _secured_vsftpd(place: Place) -> tuple[str, ...]:
    if place.certificate is None:
        return ()
    return (
        "ssl_enable=YES", "allow_anon_ssl=YES", "ssl_tlsv1=YES", "ssl_ciphers=HIGH",
        f"rsa_cert_file={place.certificate}", f"rsa_private_key_file={place.certificate}",
    )  # fmt: skip


def proftpd(name: str) -> Peer | None:
    """Return ProFTPD with one account in an ``AuthUserFile``."""
    if (program := _found("proftpd")) is None:
        return None

    def recipe(place: Place) -> Start:
        path, accounts = place.work / "proftpd.conf", place.work / "proftpd.passwd"
        owner = pwd.getpwnam(NOBODY) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        accounts.write_text(
            f"{USER}:{MD5_CRYPT}:{owner.pw_uid}:{owner.pw_gid}::{place.root}:/bin/sh\n",
            encoding="utf-8",
        )
        accounts.chmod(0o644)
        os.chown(place.work, owner.pw_uid, owner.pw_gid)
        path.write_text(proftpd_configuration(place, accounts, owner), encoding="utf-8")
        return Start((program, "-n", "-q", "-c", path), _libraries())

    missing = "" if _modules() else "mod_tls is missing: benchmarks/install-peers installs it"
    return Peer(
        name, _version(program, "-v"), _plain(recipe), True, SESSIONS_OF_FORKING_SERVER, missing
    )


def proftpd_configuration(place: Place, accounts: Path, owner: pwd.struct_passwd) -> str:
    """Return the configuration file; ``accounts`` is the ``AuthUserFile``."""
    return "\n".join([
        "ServerName benchmark", "ServerType standalone", "DefaultAddress 127.0.0.1",
        "SocketBindTight on", f"Port {place.port}", "UseIPv6 off", "UseReverseDNS off",
        f"User {owner.pw_name}", f"Group {grp.getgrgid(owner.pw_gid).gr_name}", "Umask 022",
        "AuthFileOptions InsecurePerms",  # the file may be below /tmp, which all users can write to
        f"AuthUserFile {accounts}", "AuthOrder mod_auth_file.c", "AuthPAM off",
        "RequireValidShell off", "UseFtpUsers off", "AllowOverwrite on", "MaxInstances none",
        "TransferLog none", "SystemLog none", "WtmpLog off",
        f"ScoreboardFile {place.work}/scoreboard", f"PidFile {place.work}/pid",
        "TimeoutIdle 0", "TimeoutNoTransfer 0", "TimeoutStalled 0", "TimeoutLogin 0",
        "<IfModule mod_delay.c>", "DelayEngine off", "</IfModule>",
        "<IfModule mod_ctrls.c>", "ControlsEngine off", "</IfModule>",
        *_secured_proftpd(place),
    ]) + "\n"  # fmt: skip


def _secured_proftpd(place: Place) -> tuple[str, ...]:
    if place.certificate is None:
        return ()
    return (
        f"ModulePath {_modules()}", "LoadModule mod_tls.c", "TLSEngine on", "TLSLog none",
        f"TLSECCertificateFile {place.certificate}",
        f"TLSECCertificateKeyFile {place.certificate}",
    )  # fmt: skip


def _modules() -> Path | None:
    """Return the directory with ProFTPD's module for TLS."""
    places = (PEERS / "usr/lib/proftpd", Path("/usr/lib/proftpd"))
    return next((place for place in places if (place / "mod_tls.so").exists()), None)


def pure_ftpd(name: str) -> Peer | None:
    """Return Pure-FTPd with one virtual account; Debian's build must be started as root."""
    program, passwords = _found("pure-ftpd"), _found("../bin/pure-pw")
    if program is None or passwords is None or os.geteuid() != 0:
        return None

    def recipe(place: Place) -> Start:
        owner = pwd.getpwnam(NOBODY)
        accounts, database = place.work / "pure.passwd", place.work / "pure.pdb"
        account = (USER, place.password_hash, owner.pw_uid, owner.pw_gid, "", f"{place.root}/./")
        accounts.write_text(":".join(map(str, account)) + ":" * 12 + "\n", encoding="utf-8")
        subprocess.run([passwords, "mkdb", database, "-f", accounts], check=True)
        files = ("-g", place.work / "pure.pid", "-l", f"puredb:{database}")
        address = f"127.0.0.1,{place.port}"
        secured = ("-Y", "1", "-2", place.certificate) if place.certificate else ()
        return Start((program, *PURE_OPTIONS, "-S", address, *files, *secured), _libraries())

    return Peer(name, _version(program, "--help"), _plain(recipe), True, SESSIONS_OF_FORKING_SERVER)


def _plain(recipe: Callable[[Place], Start]) -> Recipe:
    def chosen(profile: Profile, place: Place) -> Start | None:
        return recipe(place) if profile in PROFILES else None

    return chosen


def _user_with_home() -> pwd.struct_passwd:
    """Return an unprivileged system user with a home directory: vsftpd changes to it first."""
    return next(user for user in pwd.getpwall() if user.pw_uid and os.path.isdir(user.pw_dir))


def _found(program: str) -> Path | None:
    for place in PLACES:
        if os.access(place / program, os.X_OK):
            return place / program
    found = shutil.which(program)
    return Path(found) if found else None


def _libraries() -> dict[str, str]:
    """Return the environment in which the programs of ``install-peers`` find their libraries."""
    folders = sorted({str(path.parent) for path in PEERS.glob("usr/lib/**/*.so.*")})
    return {"LD_LIBRARY_PATH": ":".join(folders)} if folders else {}


def _version(program: Path, option: str) -> str:
    with tempfile.TemporaryFile() as output:  # vsftpd prints its version to its standard input
        subprocess.run(
            [program, option],
            env=os.environ | _libraries(),
            stdin=output,
            stdout=output,
            stderr=output,
            timeout=10,
            check=False,
        )
        output.seek(0)
        found = re.search(r"\d+\.\d+(\.\w+)*", output.read().decode(errors="replace"))
    return found[0] if found else "?"
