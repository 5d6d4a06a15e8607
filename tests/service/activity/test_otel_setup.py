"""Without the extra ``otel`` the start and its check say what is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from twisted.internet import reactor

import ftpservice
from ftpservice.service.assembly import assemble
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.start_check import settings_warnings

MISSING = "--otel-endpoint needs OpenTelemetry: pip install 'ftpservice[otel]'"


@pytest.mark.parametrize("module", ["opentelemetry", "opentelemetry.exporter.otlp.proto.http"])
def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    options = ServiceOptions()
    words = ("--auth", "memory:a:b", "--root", "memory:", "--listen", "tcp:0")
    options.parseOptions([*words, "--otel-endpoint", "http://127.0.0.1:4318"])
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CannotStart, match="needs OpenTelemetry") as raised:
        assemble(options, reactor)
    assert raised.value.line.endswith(MISSING)
    with pytest.raises(CannotStart, match="needs OpenTelemetry"):
        list(settings_warnings(options, reactor))


def test_only_the_export_imports_the_library_and_is_imported_when_it_runs() -> None:
    package = Path(ftpservice.__file__).parent
    imports = re.compile(r"^( *)(?:from|import) (?:opentelemetry|\S*span_export)", re.MULTILINE)
    found = {
        (path.name, bool(indent))
        for path in package.rglob("*.py")
        for indent in imports.findall(path.read_text())
    }
    assert found == {("span_export.py", False), ("otel_setup.py", True)}
