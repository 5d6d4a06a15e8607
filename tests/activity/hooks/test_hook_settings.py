"""What a table of the TOML file may say, and how errors name it."""

import pytest

from ftpservice.activity.hooks.hook_settings import HookSettings, parse_hook, refuse_same_names

COMMAND = {"name": "a", "on": ["upload"], "command": ["/bin/true"]}
WEBHOOK = {"name": "a", "on": ["upload"], "webhook": "https://example.com/x", "secret-file": "k"}


def test_all_keys_are_read():
    table = COMMAND | {
        "gate": True,
        "accounts": "ann",
        "groups": ["staff"],
        "paths": ["/in/**"],
        "time-limit": "2m",
        "on-failure": "accept",
        "max-running": 2,
        "max-waiting": 5,
    }
    expected = {"time_limit": 120.0, "on_failure": "accept", "max_running": 2, "max_waiting": 5}
    assert parse_hook(table) == HookSettings(
        "a",
        ("upload",),
        gate=True,
        command=("/bin/true",),
        accounts=("ann",),
        groups=("staff",),
        paths=("/in/**",),
        **expected,
    )


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({}, "a hook needs name"),
        ({"name": "a"}, "hook 'a' needs on"),
        (COMMAND | {"name": "a b"}, "hook 'a b': name is not made of"),
        (COMMAND | {"nam": 1}, "hook 'a': unknown key nam; did you mean name?"),
        (COMMAND | {"on": []}, "hook 'a': on is not a list of 1 to 256 strings"),
        (COMMAND | {"on": ["uploads"]}, "hook 'a': on: 'uploads' is unknown; the events are login"),
        (COMMAND | {"on": "ban", "gate": True}, "a gate can be asked about upload, delete, login"),
        (COMMAND | {"gate": "yes"}, "hook 'a': gate is not true or false"),
        (COMMAND | {"webhook": "http://a/"}, "exactly one of command, webhook and plugin"),
        ({"name": "a", "on": "ban"}, "exactly one of command, webhook and plugin"),
        (COMMAND | {"time-limit": 0}, "hook 'a': time-limit is not more than 0"),
        (COMMAND | {"time-limit": "1y"}, "hook 'a': time-limit not a duration"),
        (COMMAND | {"time-limit": True}, "hook 'a': time-limit is not a number of seconds"),
        (COMMAND | {"max-running": 0}, "hook 'a': max-running is not a whole number"),
        (COMMAND | {"on-failure": "accept"}, "hook 'a': on-failure is for a gate"),
        (COMMAND | {"gate": True, "on-failure": "maybe"}, 'is not "refuse" or "accept"'),
        (COMMAND | {"argument": "x"}, "hook 'a': argument is for a plugin"),
        (COMMAND | {"secret-file": "x"}, "hook 'a': secret-file is for a webhook"),
        (COMMAND | {"command": ["/bin/true", "a\0"]}, "command is not a string in quotes"),
        (COMMAND | {"paths": ["in/*"]}, "hook 'a': paths: 'in/*': a pattern with a slash"),
        (COMMAND | {"on": "login", "paths": ["/in/*"]}, "paths: none of its events has a path"),
        (WEBHOOK | {"gate": True}, "hook 'a': a gate is a command or a plugin"),
        (WEBHOOK | {"webhook": "ftp://a/"}, "hook 'a': webhook is not a URL"),
        (WEBHOOK | {"webhook": "http://[::/"}, "hook 'a': webhook is not a URL"),
        (WEBHOOK | {"webhook": "http://a/b c"}, "hook 'a': webhook is not a URL"),
        (WEBHOOK | {"webhook": "http://a:99999/"}, "hook 'a': webhook is not a URL"),
        (WEBHOOK | {"webhook": "http://ann:pass@a/"}, "no name and password in the URL"),
        ({"name": "a", "on": "ban", "webhook": "http://a/"}, "a webhook needs secret-file"),
        ({"name": "a", "on": "ban", "plugin": "a-b"}, "plugin is not the name of a plugin"),
    ],
)
def test_an_error_names_the_hook_and_the_key(table, text):
    with pytest.raises(ValueError) as raised:
        parse_hook(table)
    assert text in str(raised.value)
    assert "pass@" not in str(raised.value)


def test_the_secret_file_is_found_from_where_the_service_starts():
    hook = parse_hook(WEBHOOK)
    assert hook.from_directory("/etc/ftp").secret_file == "/etc/ftp/k"
    assert parse_hook(COMMAND).from_directory("/etc").secret_file == ""


def test_two_hooks_cannot_have_one_name():
    with pytest.raises(ValueError, match="two hooks have the name 'a'"):
        refuse_same_names((parse_hook(COMMAND), parse_hook(WEBHOOK)))
