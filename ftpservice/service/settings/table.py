"""Every setting of the service in one table: options, TOML files and the reference read it."""

from __future__ import annotations

from ftpservice.activity.event_log import Verbosity
from ftpservice.data.peer_policy import parse_address_rule, parse_port_range
from ftpservice.service.settings.parsers import (
    one_of,
    parse_digest,
    parse_host,
    parse_place,
    parse_umask,
)
from ftpservice.service.settings.setting import Kind, Setting
from ftpservice.session.tls_policy import ControlTLS, DataTLS
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import parse_size

__all__ = ["BY_NAME", "SETTINGS"]

SETTINGS = (
    Setting(
        "listen",
        Kind.TEXTS,
        ("tcp:2121:interface=127.0.0.1",),
        "Where clients connect: tcp:2121, tcp6:2121, unix:/run/ftp.sock, "
        "systemd:domain=INET:index=0, haproxy:tcp:2121 or any other Twisted endpoint.",
        parse_place,
        '["tcp:2121"]',
    ),
    Setting(
        "implicit",
        Kind.TEXTS,
        (),
        "Where clients of implicit FTPS connect, who begin with TLS at once: tcp:990, or any other "
        "place as in listen.",
        parse_place,
        '["tcp:990"]',
    ),
    Setting(
        "simple",
        Kind.TEXTS,
        (),
        "Where clients of the simple protocol connect, as in listen: tcp:1452.",
        parse_place,
        '["tcp:1452"]',
    ),
    Setting(
        "simple-tls",
        Kind.TEXTS,
        (),
        "Where clients of the simple protocol connect that begin with TLS at once.",
        parse_place,
        '["tcp:1453"]',
    ),
    Setting(
        "tls",
        Kind.TEXT,
        "offered",
        "TLS of control connections (AUTH TLS): off, offered, required-login (for logins with a "
        "password) or required (for all logins).",
        one_of(ControlTLS),
        '"required"',
    ),
    Setting(
        "tls-data",
        Kind.TEXT,
        "offered",
        "TLS of data connections (PROT P): off, offered or required.",
        one_of(DataTLS),
        '"required"',
    ),
    Setting(
        "allow-plaintext",
        Kind.FLAG,
        False,
        "Let clients of other machines, too, send passwords in clear, where TLS is not required.",
    ),
    Setting(
        "allow-ccc",
        Kind.FLAG,
        False,
        "Let clients take commands out of TLS again (CCC), where TLS is not required.",
    ),
    Setting(
        "certificate",
        Kind.TEXTS,
        (),
        "A file with a certificate and its chain, in PEM; of several the client's SNI picks one "
        "(without it: a self-signed one is made and kept in the data directory).",
        example='["/etc/ftpservice/fullchain.pem"]',
    ),
    Setting(
        "key",
        Kind.TEXTS,
        (),
        "The file with the key of each certificate, in the same order (without it: in the file of "
        "the certificate).",
        example='["/etc/ftpservice/privkey.pem"]',
    ),
    Setting(
        "client-ca",
        Kind.TEXT,
        None,
        "A file with the authorities, in PEM, whose client certificates count (see tls-cert in "
        "passwd.db).",
    ),
    Setting(
        "require-session-reuse",
        Kind.FLAG,
        False,
        "Take only data connections that resume the TLS session of their control connection; "
        "not all clients can.",
    ),
    Setting(
        "tls-allow-truncated",
        Kind.FLAG,
        False,
        "Take an upload as complete though it ends without close_notify, the end of TLS, which "
        "some old clients never send.",
    ),
    Setting(
        "tls-handshake-timeout",
        Kind.SECONDS,
        20,
        "Until a connection is under TLS; 0 for ever.",
    ),
    Setting(
        "root",
        Kind.TEXT,
        None,
        "The files: a directory, or a storage string such as local:/srv/ftp or memory: "
        "(without it: files in the data directory).",
    ),
    Setting(
        "auth",
        Kind.TEXTS,
        None,
        "Who may log in: passwd:FILE, or any other kind that --help-auth lists (without it and "
        "without anonymous: passwd:passwd.db, if there is that file).",
        example='["passwd:passwd.db"]',
    ),
    Setting(
        "anonymous",
        Kind.FLAG,
        False,
        "Let anybody in who logs in as anonymous or ftp, to read only.",
    ),
    Setting(
        "anonymous-root",
        Kind.TEXT,
        "/",
        "The directory under root that anonymous users see.",
        VirtualPath.parse,
    ),
    Setting(
        "passive-ports",
        Kind.TEXT,
        None,
        "The ports for passive data connections, as 50000-50100 (without it: any free port).",
        parse_port_range,
        '"50000-50100"',
    ),
    Setting(
        "passive-address",
        Kind.TEXTS,
        (),
        "The address or DNS name that PASV tells clients, behind NAT; NETWORK=ADDRESS holds for "
        "the clients of that network only.",
        parse_address_rule,
        '["203.0.113.7"]',
    ),
    Setting("welcome", Kind.TEXT, "ftpservice ready", "The greeting."),
    Setting("max-sessions", Kind.COUNT, 10_000, "Sessions at a time, of all clients."),
    Setting(
        "max-sessions-per-address",
        Kind.COUNT,
        200,
        "Sessions at a time from one address; of IPv6, from one /64.",
    ),
    Setting("max-sessions-per-user", Kind.COUNT, 200, "Sessions at a time under one name."),
    Setting("login-timeout", Kind.SECONDS, 60, "From the connection to the login; 0 for ever."),
    Setting(
        "idle-timeout",
        Kind.SECONDS,
        300,
        "A session without a command and without a transfer; 0 for ever.",
    ),
    Setting(
        "data-timeout",
        Kind.SECONDS,
        30,
        "Until a data connection is made; a passive port without one closes then. 0 for ever.",
    ),
    Setting("stall-timeout", Kind.SECONDS, 60, "A transfer that does not move; 0 for ever."),
    Setting(
        "rate-down",
        Kind.TEXT,
        "0",
        "Bytes per second for the downloads of each session, as 20M; 0 for no limit.",
        parse_size,
    ),
    Setting(
        "rate-up",
        Kind.TEXT,
        "0",
        "Bytes per second for the uploads of each session, as 20M; 0 for no limit.",
        parse_size,
    ),
    Setting(
        "upload-digest",
        Kind.TEXT,
        "none",
        "The digest to compute of each upload as it comes: none, CRC32, MD5, SHA-1, SHA-256 or "
        "SHA-512. HASH with this algorithm then costs nothing behind an upload.",
        parse_digest,
    ),
    Setting(
        "data-dir",
        Kind.TEXT,
        None,
        "Where the service keeps what is its own, made if missing (without it and without root: "
        "var).",
    ),
    Setting(
        "durable",
        Kind.FLAG,
        False,
        "Say that an upload is complete only when it is on the disk, not in its cache.",
    ),
    Setting(
        "grace",
        Kind.SECONDS,
        30,
        "How long transfers in progress may go on when the service is told to stop; 0 cuts them.",
    ),
    Setting(
        "log",
        Kind.TEXT,
        "all",
        "What has a line in the log: all (logins, transfers, changes of files, problems) or "
        "problems (failed logins, refused connections and commands, transfers that were cut).",
        one_of(Verbosity),
    ),
    Setting(
        "log-file",
        Kind.TEXT,
        None,
        "The file that the log is appended to; SIGUSR1 opens it anew (without it: where twistd "
        "logs, standard output in the foreground).",
    ),
    Setting(
        "ascii",
        Kind.SWITCH,
        "on",
        "Whether line ends are converted in TYPE A; off treats TYPE A as TYPE I, for clients that "
        "never send TYPE I but need their files unchanged.",
    ),
    Setting(
        "host-names",
        Kind.TEXTS,
        (),
        "A name that the command HOST may give; any other gets 504 (without it: every name is "
        "accepted, and changes nothing).",
        parse_host,
        '["ftp.example.com"]',
    ),
    Setting(
        "umask",
        Kind.TEXT,
        "022",
        "Permission bits withheld from new files and directories, in octal digits.",
        parse_umask,
        '"022"',
    ),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}
