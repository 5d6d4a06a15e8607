"""``ftpservice config``: the settings in force and their sources, and the check before a start."""

import json

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from ftpservice.service.settings.settings import SETTINGS

FILE = """listen = ["tcp:0:interface=127.0.0.1"]
anonymous = true

"max-sessions" = 5
umask = 0o27
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ftp.toml").write_text(FILE)
    return tmp_path


def run(*words):
    return CliRunner().invoke(ftpservice, ["config", *words])


@pytest.mark.usefixtures("bench")
def test_settings_that_differ_are_shown_with_their_source():
    done = run("show", "--config", "ftp.toml", "--max-sessions", "7", "--durable", "--listen=tcp:1")
    assert done.exit_code == 0, done.output
    assert sorted(done.stdout.splitlines()) == [
        "anonymous = true  # ftp.toml, line 2",
        "durable = true  # option --durable",
        'listen = ["tcp:1"]  # option --listen',
        'max-sessions = "7"  # option --max-sessions',
        'umask = "0o27"  # ftp.toml, line 5',
    ]


@pytest.mark.usefixtures("bench")
def test_all_settings_in_json():
    done = run("show", "--json", "--anonymous")
    shown = json.loads(done.stdout)
    assert shown.keys() == SETTINGS.keys()
    assert shown["anonymous"] == {"value": True, "source": "option --anonymous"}
    assert shown["idle-timeout"]["source"] == "default"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("show", "--config", "none.toml"), "none.toml: no such file"),
        (("show", "--max-sessions", "0"), "--max-sessions"),
        (("check", "--allow-root", "--anonymous", "--log-file", "none/log"), "none/log: no such"),
        (("check",), "no accounts"),
    ],
)
@pytest.mark.usefixtures("bench")
def test_an_error_is_one_line_and_status_1(words, text):
    done = run(*words)
    assert done.exit_code == 1 or str(done.exit_code).startswith("ftpservice: ")
    assert text in done.output + done.stderr + str(done.exit_code)


def test_check_creates_nothing(bench):
    done = run("check", "--config", "ftp.toml", "--allow-root")
    assert (done.exit_code, done.stdout) == (0, "ftpservice: the settings are valid\n")
    assert [path.name for path in bench.iterdir()] == ["ftp.toml"]


@pytest.mark.parametrize("value", ['"{}"', '["{}"]'])
def test_passwords_of_stores_are_not_shown(bench, value):
    url = "sql:postgresql://ann:tr0ub4dor@127.0.0.1/accounts"
    (bench / "ftp.toml").write_text(f"auth = {value.format(url)}\n")
    for options in ((), ("--json",)):
        shown = run("show", *options, "--config", "ftp.toml").stdout
        assert "postgresql://ann:***@" in shown
        assert "tr0ub4dor" not in shown and '"tr"' not in shown


def test_the_password_of_the_journal_is_not_shown(bench):
    url = "postgresql://ann:tr0ub4dor@127.0.0.1/journal"
    (bench / "ftp.toml").write_text(f'journal = "{url}"\ndata-dir = "var"\nanonymous = true\n')
    for options in ((), ("--json",)):
        shown = run("show", *options, "--config", "ftp.toml").stdout
        assert "postgresql://ann:***@127.0.0.1/journal" in shown
        assert "tr0ub4dor" not in shown


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--root=memory:", "--journal=j.db"), "--journal needs --data-dir"),
        (("--journal=mysql://x/y",), "--journal: unsupported kind of database 'mysql'"),
        (("--journal=postgresql://a:b@c/d",), "--journal: a password in a command line"),
        (("--journal=none/j.db",), "none/j.db: its directory does not exist"),
        (("--journal-spool=5K",), "--journal-spool: at least 1M"),
        (("--journal-size=5K",), "--journal-size: at least 1M, or 0"),
    ],
)
@pytest.mark.usefixtures("bench")
def test_a_journal_that_could_not_be_kept_is_refused(words, text):
    done = run("check", "--auth=memory:a:b", "--allow-root", *words)
    assert done.exit_code != 0
    assert text in done.output + done.stderr + str(done.exit_code)


@pytest.mark.usefixtures("bench")
def test_the_user_of_the_service_is_checked():
    done = run("check", "--auth=memory:a:b", "--uid", "no-such-user")
    assert (done.exit_code, "there is no such user" in done.output) == (1, True)
    assert "embeds" not in done.output


def test_hooks_are_checked_and_shown_without_their_secrets(bench):
    (bench / "key").write_text("a key of many letters")
    (bench / "key").chmod(0o644)
    hook = """
[[hook]]
name = "tell"
on = ["upload"]
webhook = "https://example.com/"
secret-file = "key"
"""
    settings = bench / "ftp.toml"
    settings.write_text(FILE + 'data-dir = "data"\n' + hook)
    shown = run("show", "--config", "ftp.toml").stdout
    assert 'hook = [{name = "tell", on = ["upload"], webhook = "https://example.com/"' in shown
    assert "many letters" not in shown + run("show", "--json", "--config", "ftp.toml").stdout
    checked = run("check", "--allow-root", "--config", "ftp.toml")
    assert checked.exit_code == 0
    assert "key: other users can read it" in checked.output
    assert not (bench / "data").exists()
    for change, problem in (
        (hook.replace("on =", "when ="), "line 8, hook: hook 'tell': unknown key when"),
        (hook + hook, "[[hook]]: two hooks have the name 'tell'"),
        (hook.replace('"key"', '"none"'), "secret-file"),
        ('[hook]\nname = "a"\n', "is not a list of tables, [[...]]"),
    ):
        settings.write_text(FILE + 'data-dir = "data"\n' + change)
        checked = run("check", "--allow-root", "--config", "ftp.toml")
        assert checked.exit_code == 1
        assert problem in checked.output
