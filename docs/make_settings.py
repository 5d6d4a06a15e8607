"""Writes ``docs/settings.md`` from the table of settings."""

from __future__ import annotations

from pathlib import Path

from ftpservice.service.settings.setting import Setting, SettingKind
from ftpservice.service.settings.table import SETTINGS

__all__ = ["settings_reference"]

PAGE = Path(__file__).with_name("settings.md")

INTRODUCTION = """\
# Settings

Each is an option of `twistd ftpservice` (`--name`; a setting that takes true or false is given
by its name alone) and a key of the TOML file that `--config` names. Options override the file.
A list is an option given several times, or a TOML list; one text is a list of one. Where a place
to listen on is wanted, `2121` is `tcp:2121`, and `127.0.0.1:2121` is TCP on that address. Seconds
may be a duration ("5m", "12h"), sizes and masks may be numbers or texts (`rate-up = 5000000`;
`umask = 22`, which is octal, as "022"). Paths are relative to the directory that the service is
started in. This page is made from the code: `make docs`.

| setting | takes | default | what it is |
| --- | --- | --- | --- |
"""

EXAMPLE = """
## An example

```toml
listen = ["tcp:2121:interface=192.168.1.10", "tcp:2121:interface=127.0.0.1"]
root = "local:/srv/ftp"
auth = ["passwd:/etc/ftpservice/passwd.db"]
passive-ports = "50000-50100"
passive-address = ["203.0.113.7", "10.0.0.0/8=10.0.0.5"]
max-sessions = 500
idle-timeout = 600
```

An unknown key or a wrong value is told with its line, and the service does not start.
"""


def settings_reference() -> str:
    """Return the page."""
    return INTRODUCTION + "".join(_row(setting) for setting in SETTINGS) + EXAMPLE


def _row(setting: Setting) -> str:
    cells = (f"`{setting.name}`", setting.kind.value, _default(setting), setting.help)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def _default(setting: Setting) -> str:
    default = setting.default
    if default is None or default == ():
        return ""
    if setting.kind is SettingKind.FLAG:
        return "`true`" if default else "`false`"
    return ", ".join(f"`{one}`" for one in (default if isinstance(default, tuple) else [default]))


if __name__ == "__main__":
    PAGE.write_text(settings_reference(), encoding="utf-8")
