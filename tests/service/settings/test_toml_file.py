from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice.service.settings.processors import processor_count
from ftpservice.service.settings.toml_file import BadConfiguration, load_toml, parse_toml
from ftpservice.session.tls_policy import ControlTLS


def complaint(text: str) -> str:
    with pytest.raises(BadConfiguration) as caught:
        parse_toml(text)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_every_kind_of_value_is_read() -> None:
    values = parse_toml(
        'listen = ["tcp:21", "tcp6:21"]\nanonymous = true\nmax-sessions = 5\n'
        'idle-timeout = 1.5\numask = "077"\n'
    )
    assert values == {
        "listen": ("tcp:21", "tcp6:21"),
        "anonymous": True,
        "max-sessions": 5,
        "idle-timeout": 1.5,
        "umask": 0o077,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("listen = 'tcp:2121'", ("tcp:2121",)),
        ("rate-up = 5000000", 5_000_000),
        ("rate-up = 5_000_000", 5_000_000),
        ("rate-up = '5 MB'", 5 * 2**20),
        ("umask = 22", 0o022),
        ("umask = '022'", 0o022),
        ("umask = 0o27", 0o027),
        ('"umask" = 0o77 # private', 0o077),
        ("umask = 0", 0),
        ("idle-timeout = '5m'", 300),
        ("idle-timeout = '5 minutes'", 300),
        ("idle-timeout = '90'", 90),
        ("idle-timeout = '1.5h'", 5400),
        ("max-sessions = '5'", 5),
        ("workers = 4", 4),
        ("workers = '256'", 256),
        ("workers = 'auto'", processor_count()),
        ("anonymous = 'yes'", True),
        ("anonymous = 'Off'", False),
        ("tls = 'Required'", ControlTLS.REQUIRED),
        ("welcome = 5", "5"),
        ("anonymous = 1", True),
        ("listen = 2121", ("tcp:2121",)),
        ("listen = [2121, '192.0.2.1:21']", ("tcp:2121", "tcp:21:interface=192.0.2.1")),
        ("simple = '127.0.0.1:1452'", ("tcp:1452:interface=127.0.0.1",)),
        ("listen = ['tcp6:21', 'unix:/run/a.sock']", ("tcp6:21", "unix:/run/a.sock")),
        ("passive-ports = '50000 - 50100'", (50000, 50100)),
        ("passive-ports = '50000:50100'", (50000, 50100)),
        ("passive-port = 50000", 50000),
        ("passive-port = '50000'", 50000),
        ("upload-digest = 'sha256'", "SHA-256"),
    ],
)
def test_values_with_an_obvious_meaning_are_taken(text: str, value: object) -> None:
    [given] = parse_toml(f"# umask = 0o11\n{text}\n").values()
    assert given == value
    assert type(given) is type(value) or isinstance(given, float)


def test_text_that_is_no_toml_is_named_with_its_line() -> None:
    assert "line 2" in complaint("anonymous = true\nmax-sessions = = 5\n")


def test_an_unknown_key_is_named_with_its_line_and_a_guess() -> None:
    line = complaint("anonymous = true\n\nmax_sessions = 5\n")
    assert line == "line 3, max_sessions: unknown setting; did you mean max-sessions?"


def test_an_unknown_key_that_is_like_no_other_gets_no_guess() -> None:
    assert complaint("zzz = 1") == "line 1, zzz: unknown setting"


def test_a_table_is_no_setting() -> None:
    assert complaint("\n[server]\nroot = '/x'\n") == "line 2, server: unknown setting"


def test_a_key_in_quotes_that_hide_it_is_named_without_a_line() -> None:
    assert complaint('"zz\\u007a" = 1') == "zzz: unknown setting"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("max-sessions = 'many'", "a whole number, 1 or more, such as 50"),
        ("max-sessions = true", "a whole number, 1 or more"),
        ("max-sessions = 0", "a whole number, 1 or more"),
        ("max-sessions = 1.5", "a whole number, 1 or more"),
        ("idle-timeout = -1", "a number of seconds, 0 or more"),
        ("idle-timeout = inf", "a number of seconds, 0 or more"),
        ("idle-timeout = nan", "a number of seconds, 0 or more"),
        ("idle-timeout = false", "a number of seconds, 0 or more"),
        (
            "idle-timeout = 'soon'",
            'a number of seconds, 0 or more, or a duration, such as 300 or "5m"',
        ),
        ("anonymous = 2", "true or false"),
        ("listen = {port = 21}", '{"port": 21} is not a string or a list of strings'),
        ("listen = [true]", "[true] is not a string or a list of strings"),
        ("listen = ['']", 'such as listen = ["tcp:2121"]'),
        ("simple-tls = ''", 'such as simple-tls = ["tcp:1453"]'),
        ("listen = 'tcp:99999'", "a port is a number from 1 to 65535, as in tcp:2121"),
        ("tls = true", 'true is not a string in quotes, "...", such as tls = "required"'),
        ("root = ['/srv']", "a string"),
        ("root = ''", "a string"),
        ("umask = 8", "octal"),
        ("umask = 0o1000", "octal"),
        ("umask = '8'", "octal"),
        ("rate-up = -5", "not a size"),
        ("rate-up = true", "a string"),
        ("tls = 'maybe'", "not one of off, offered, required-login, required"),
        ('anonymous-root = "a\\u0000"', "NUL"),
        ("passive-ports = 'many'", "passive-ports"),
        ("workers = 0", '0 is not a whole number from 1 to 256, or "auto"'),
        ("workers = -1", "-1 is not a whole number"),
        ("workers = 257", "257 is not a whole number"),
        ("workers = 2.5", "2.5 is not a whole number"),
        ("workers = ''", "'' is not a whole number"),
        ("workers = 'many'", "'many' is not a whole number"),
        ("cluster = ''", "it is empty, and not a string in quotes"),
        ("cluster = 'mysql://db/x'", "a cluster needs PostgreSQL: postgresql://user@host/"),
        ("cluster-timeout = 0.5", "at least 1 second"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_what_it_should_be(text: str, what: str) -> None:
    line = complaint("durable = true\n" + text)
    assert line.startswith(f"line 2, {text.partition(' ')[0]}: ")
    assert what in line


def test_a_backslash_in_double_quotes_is_told_what_to_do() -> None:
    line = complaint('root = "s3:files:endpoint=https\\://host"')
    assert line.startswith("not TOML: Unescaped")
    assert line.endswith("; write a string with backslashes in single quotes: '...'")
    assert "quotes" not in complaint("root = ")


def test_a_file_is_named_in_complaints(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("zzz = 1")
    with pytest.raises(BadConfiguration, match=f"^{path}, line 1, zzz: "):
        load_toml(str(path))
    path.write_text("durable = true")
    assert load_toml(str(path)) == {"durable": True}


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="no such file"):
        load_toml(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b"welcome = '\xe9'")
    with pytest.raises(BadConfiguration, match="utf-8"):
        load_toml(str(tmp_path / "latin.toml"))
    (tmp_path / "large.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(BadConfiguration, match="larger than 1048576 bytes"):
        load_toml(str(tmp_path / "large.toml"))
