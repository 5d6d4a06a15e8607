from __future__ import annotations

from typing import Any

import pytest

from ftpservice import __version__
from ftpservice.service.cli import main


def test_serve_is_twistd_in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr("twisted.scripts.twistd.runApp", ran.append)
    main(["serve", "--auth=memory:a:b", "--listen=tcp:0"])
    (program,) = ran
    assert program["nodaemon"]
    assert program["pidfile"] == ""
    assert program.subCommand == "ftpservice"
    assert program.subOptions.settings.listen == ("tcp:0",)


def test_it_prints_its_version_and_usage(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"ftpservice {__version__}\n"
    main(["--help"])
    assert "ftpservice serve" in capsys.readouterr().out


def test_anything_else_prints_the_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ftpservice", "bogus"])
    with pytest.raises(SystemExit, match="ftpservice serve"):
        main()
