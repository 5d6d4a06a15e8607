"""Every setting of the service in one table: options, TOML files and the reference read it."""

from __future__ import annotations

from ftpservice.activity.event_log import Verbosity
from ftpservice.data.peer_policy import parse_address_rule, parse_port_range
from ftpservice.service.settings.parsers import (
    enum_parser,
    parse_digest,
    parse_host,
    parse_listen_address,
    parse_umask,
)
from ftpservice.service.settings.setting import Setting, SettingKind
from ftpservice.session.tls_policy import ControlTLS, DataTLS
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import parse_size

__all__ = ["SETTINGS", "SETTINGS_BY_NAME"]

SETTINGS = (
    Setting(
        "listen",
        SettingKind.TEXTS,
        ("tcp:2121:interface=127.0.0.1",),
        "Where clients connect: tcp:2121, tcp6:2121, unix:/run/ftp.sock, "
        "systemd:domain=INET:index=0, haproxy:tcp:2121 or any other Twisted endpoint.",
        parse_listen_address,
        '["tcp:2121"]',
    ),
    Setting(
        "implicit",
        SettingKind.TEXTS,
        (),
        "Where clients of implicit FTPS connect, who begin with TLS at once: tcp:990, or any other "
        "place as in listen.",
        parse_listen_address,
        '["tcp:990"]',
    ),
    Setting(
        "simple",
        SettingKind.TEXTS,
        (),
        "Where clients of the simple protocol connect, as in listen: tcp:1452.",
        parse_listen_address,
        '["tcp:1452"]',
    ),
    Setting(
        "simple-tls",
        SettingKind.TEXTS,
        (),
        "Where clients of the simple protocol connect that begin with TLS at once.",
        parse_listen_address,
        '["tcp:1453"]',
    ),
    Setting(
        "tls",
        SettingKind.TEXT,
        "offered",
        "TLS of control connections (AUTH TLS): off, offered, required-login (for logins with a "
        "password) or required (for all logins).",
        enum_parser(ControlTLS),
        '"required"',
    ),
    Setting(
        "tls-data",
        SettingKind.TEXT,
        "offered",
        "TLS of data connections (PROT P): off, offered or required.",
        enum_parser(DataTLS),
        '"required"',
    ),
    Setting(
        "allow-plaintext",
        SettingKind.FLAG,
        False,
        "Let clients of other machines, too, send passwords in clear, where TLS is not required.",
    ),
    Setting(
        "allow-ccc",
        SettingKind.FLAG,
        False,
        "Let clients take commands out of TLS again (CCC), where TLS is not required.",
    ),
    Setting(
        "certificate",
        SettingKind.TEXTS,
        (),
        "A file with a certificate and its chain, in PEM; of several the client's SNI picks one "
        "(without it: a self-signed one is made and kept in the data directory).",
        example='["/etc/ftpservice/fullchain.pem"]',
    ),
    Setting(
        "key",
        SettingKind.TEXTS,
        (),
        "The file with the key of each certificate, in the same order (without it: in the file of "
        "the certificate).",
        example='["/etc/ftpservice/privkey.pem"]',
    ),
    Setting(
        "client-ca",
        SettingKind.TEXT,
        None,
        "A file with the authorities, in PEM, whose client certificates count (see tls-cert in "
        "passwd.db).",
    ),
    Setting(
        "require-session-reuse",
        SettingKind.FLAG,
        False,
        "Take only data connections that resume the TLS session of their control connection; "
        "not all clients can.",
    ),
    Setting(
        "tls-allow-truncated",
        SettingKind.FLAG,
        False,
        "Take an upload as complete though it ends without close_notify, the end of TLS, which "
        "some old clients never send.",
    ),
    Setting(
        "tls-handshake-timeout",
        SettingKind.SECONDS,
        20,
        "Until a connection is under TLS; 0 for ever.",
    ),
    Setting(
        "root",
        SettingKind.TEXT,
        None,
        "The files: a directory, or a storage string such as local:/srv/ftp or memory: "
        "(without it: files in the data directory).",
    ),
    Setting(
        "auth",
        SettingKind.TEXTS,
        None,
        "Who may log in: passwd:FILE, or any other kind that --help-auth lists (without it and "
        "without anonymous: passwd:passwd.db, if there is that file).",
        example='["passwd:passwd.db"]',
    ),
    Setting(
        "anonymous",
        SettingKind.FLAG,
        False,
        "Let anybody in who logs in as anonymous or ftp, to read only.",
    ),
    Setting(
        "anonymous-root",
        SettingKind.TEXT,
        "/",
        "The directory under root that anonymous users see.",
        VirtualPath.parse,
    ),
    Setting(
        "passive-ports",
        SettingKind.TEXT,
        None,
        "The ports for passive data connections, as 50000-50100 (without it: any free port).",
        parse_port_range,
        '"50000-50100"',
    ),
    Setting(
        "passive-address",
        SettingKind.TEXTS,
        (),
        "The address or DNS name that PASV tells clients, behind NAT; NETWORK=ADDRESS holds for "
        "the clients of that network only.",
        parse_address_rule,
        '["203.0.113.7"]',
    ),
    Setting("welcome", SettingKind.TEXT, "ftpservice ready", "The greeting."),
    Setting("max-sessions", SettingKind.COUNT, 10_000, "Sessions at a time, of all clients."),
    Setting(
        "max-sessions-per-address",
        SettingKind.COUNT,
        200,
        "Sessions at a time from one address; of IPv6, from one /64.",
    ),
    Setting("max-sessions-per-user", SettingKind.COUNT, 200, "Sessions at a time under one name."),
    Setting(
        "login-timeout", SettingKind.SECONDS, 60, "From the connection to the login; 0 for ever."
    ),
    Setting(
        "idle-timeout",
        SettingKind.SECONDS,
        300,
        "A session without a command and without a transfer; 0 for ever.",
    ),
    Setting(
        "data-timeout",
        SettingKind.SECONDS,
        30,
        "Until a data connection is made; a passive port without one closes then. 0 for ever.",
    ),
    Setting("stall-timeout", SettingKind.SECONDS, 60, "A transfer that does not move; 0 for ever."),
    Setting(
        "rate-down",
        SettingKind.TEXT,
        "0",
        "Bytes per second for the downloads of each session, as 20M; 0 for no limit.",
        parse_size,
    ),
    Setting(
        "rate-up",
        SettingKind.TEXT,
        "0",
        "Bytes per second for the uploads of each session, as 20M; 0 for no limit.",
        parse_size,
    ),
    Setting(
        "upload-digest",
        SettingKind.TEXT,
        "none",
        "The digest to compute of each upload as it comes: none, CRC32, MD5, SHA-1, SHA-256 or "
        "SHA-512. HASH with this algorithm then costs nothing behind an upload.",
        parse_digest,
    ),
    Setting(
        "data-dir",
        SettingKind.TEXT,
        None,
        "Where the service keeps what is its own, made if missing (without it and without root: "
        "var).",
    ),
    Setting(
        "durable",
        SettingKind.FLAG,
        False,
        "Say that an upload is complete only when it is on the disk, not in its cache.",
    ),
    Setting(
        "grace",
        SettingKind.SECONDS,
        30,
        "How long transfers in progress may go on when the service is told to stop; 0 cuts them.",
    ),
    Setting(
        "log",
        SettingKind.TEXT,
        "all",
        "What has a line in the log: all (logins, transfers, changes of files, problems) or "
        "problems (failed logins, refused connections and commands, transfers that were cut).",
        enum_parser(Verbosity),
    ),
    Setting(
        "log-file",
        SettingKind.TEXT,
        None,
        "The file that the log is appended to; SIGUSR1 opens it anew (without it: where twistd "
        "logs, standard output in the foreground).",
    ),
    Setting(
        "ascii",
        SettingKind.SWITCH,
        "on",
        "Whether line ends are converted in TYPE A; off treats TYPE A as TYPE I, for clients that "
        "never send TYPE I but need their files unchanged.",
    ),
    Setting(
        "host-names",
        SettingKind.TEXTS,
        (),
        "A name that the command HOST may give; any other gets 504 (without it: every name is "
        "accepted, and changes nothing).",
        parse_host,
        '["ftp.example.com"]',
    ),
    Setting(
        "umask",
        SettingKind.TEXT,
        "022",
        "Permission bits withheld from new files and directories, in octal digits.",
        parse_umask,
        '"022"',
    ),
)

SETTINGS_BY_NAME = {setting.name: setting for setting in SETTINGS}
