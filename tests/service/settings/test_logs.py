"""The settings of logs, metrics and traces."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.logs import parse_collector_url
from ftpservice.service.settings.settings import settings_from


def test_metrics_for_other_machines_need_metrics() -> None:
    allowed = (ip_network("10.0.0.9"),)
    asked = {"http": ["tcp:8021"], "metrics": True, "metrics-from": allowed}
    assert settings_from(asked).metrics_from == allowed
    with pytest.raises(SettingsConflict, match="metrics-from needs"):
        settings_from({**asked, "metrics": False})


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://otel.example.com/", "https://otel.example.com/v1/traces"),
        ("http://[::1]:4318/otlp", "http://[::1]:4318/otlp/v1/traces"),
        ("http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"),
    ],
)
def test_the_path_of_traces_is_added_once(text: str, url: str) -> None:
    assert parse_collector_url(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.0.0.1:4318", "is not a URL"),
        ("grpc://127.0.0.1:4317", "is not a URL"),
        ("http://", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://a:0", "is not a URL"),
        ("http://a:99999", "is not a URL"),
        ("http://me:secret@a", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("http://a/?token=1", "more than"),
        ("http://a/#x", "more than"),
        ("http://a/ b", "more than"),
    ],
)
def test_other_urls_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_collector_url(text)
