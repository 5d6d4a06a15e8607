"""Types of files that are shown, and their names in headers."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from ftpservice.web.files.content_types import disposition, view_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"),
        ("a.b.JPEG", "image/jpeg"),
        ("a.svg", "image/svg+xml"),
        ("a.html", "text/plain; charset=utf-8"),
        ("a.xml", "text/plain; charset=utf-8"),
        ("a.pdf", "application/pdf"),
        ("a.exe", None),
        ("png", None),
        ("a.", None),
    ],
)
def test_a_view_has_a_type_of_a_short_list(name: str, kind: str | None) -> None:
    view = view_of(name)
    assert (view.content_type if view is not None else None) == kind


def test_nothing_that_is_shown_may_run_scripts() -> None:
    for name in ("a.svg", "a.html", "a.png", "a.txt", "a.pdf"):
        view = view_of(name)
        assert view is not None
        assert "default-src 'none'" in view.policy
        assert "script-src" not in view.policy
        assert view.policy.startswith("sandbox; ")
        assert "allow-" not in view.policy


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.txt", "a.txt"),
        ('a"; filename="b.exe', 'a"; filename="b.exe'),
        ("a\\b%41.txt", "a\\b%41.txt"),
        ("grün 漢字.txt", "grün 漢字.txt"),
        ("\udcff.txt", "\ufffd.txt"),
        ("a\u202efdp.exe", "a_fdp.exe"),
        ("a\tb\x7f", "a_b_"),
        ("x" * 255, "x" * 255),
    ],
)
def test_the_name_survives_and_cannot_break_the_header(name: str, shown: str) -> None:
    value = disposition(name)
    assert value.isascii()
    assert value.isprintable()
    _, _, encoded = value.partition("filename*=UTF-8''")
    assert unquote(encoded) == shown
    assert value.count('"') == 2
