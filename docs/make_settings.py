"""Writes ``docs/settings.md`` from the declarations of the settings."""

from __future__ import annotations

from pathlib import Path

from ftpservice.service.settings.setting import FLAG, Setting
from ftpservice.service.settings.settings import SETTINGS

__all__ = ["settings_reference"]

PAGE = Path(__file__).with_name("settings.md")

INTRODUCTION = """\
# Settings

Each setting is an option of `twistd ftpservice` and `ftpservice serve` (`--name`; a setting of the
type "true or false" takes no value there) and a key of the TOML file that `--config` names. Options
override the file.

- A list is an option given more than once, or a TOML list. A string is a list of one.
- An endpoint can be a port (`2121` is `tcp:2121`) or an address and port (`127.0.0.1:2121`).
- A number of seconds can be a duration ("5m", "12h").
- A size or mask can be a number or a string (`rate-up = 5000000`; `umask = 22`, which is octal, as
  "022").
- Relative paths start at the directory in which the service is started.
- A *live* setting can be changed in the file while the service runs: SIGHUP applies it to sessions
  that begin afterwards. The others need a restart.

This page is generated: `make docs`.

| setting | type | default | live | description |
| --- | --- | --- | --- | --- |
"""

EXAMPLE = """
## Example

```toml
listen = ["tcp:2121:interface=192.168.1.10", "tcp:2121:interface=127.0.0.1"]
root = "local:/srv/ftp"
auth = ["passwd:/etc/ftpservice/passwd.db"]
passive-ports = "50000-50100"
passive-address = ["203.0.113.7", "10.0.0.0/8=10.0.0.5"]
max-sessions = 500
idle-timeout = 600
```

An unknown key or a wrong value is reported with its line, and the service does not start.
"""


def settings_reference() -> str:
    """Return the page."""
    return INTRODUCTION + "".join(map(_row, SETTINGS.values())) + EXAMPLE


def _row(setting: Setting) -> str:
    live = "yes" if setting.live else ""
    cells = (f"`{setting.name}`", setting.kind.name, _default(setting), live, setting.help)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def _default(setting: Setting) -> str:
    default = setting.default
    if default is None or default == ():
        return ""
    if setting.kind is FLAG:
        return "`true`" if default else "`false`"
    return ", ".join(f"`{one}`" for one in (default if isinstance(default, tuple) else [default]))


if __name__ == "__main__":
    PAGE.write_text(settings_reference(), encoding="utf-8")
