"""The files of the page."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import ftpservice.web.page
from ftpservice.web.page.page import mount_page
from tests.support.web_client import SiteInMemory

VENDORED = {"uplot.js", "uplot.css", "preact.mjs", "tus.js"}
ASSETS = Path(ftpservice.web.page.__file__).parent / "assets"


def test_they_are_served_under_a_strict_policy_and_not_sent_twice() -> None:
    served = SiteInMemory()
    mount_page(served.site, object(), object())  # type: ignore[arg-type]
    for page in ("/", "/files", "/security"):
        start = served.ask(f"GET {page}")
        assert (start.status, start.headers["content-type"]) == (200, "text/html; charset=utf-8")
        policy = start.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        for path in re.findall(rb'(?:src|href)="(/[^"]+)"', start.body):
            answer = served.ask(f"GET {path.decode()}")
            assert answer.status == 200, path
            again = served.ask(f"GET {path.decode()}", f"If-None-Match: {answer.headers['etag']}")
            assert (again.status, again.body) == (304, b"")
    assert served.ask("GET /assets/LICENSE.htm.txt").status == 404
    assert served.ask("GET /assets/..%2fpage.py").status == 404


def test_parts_of_others_are_those_that_are_recorded() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` .*`([0-9a-f]{64})` \|$", (ASSETS / "VENDORED.md").read_text(), re.M
    )
    assert {name for name, _ in rows} == VENDORED
    for name, digest in rows:
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest


def test_our_scripts_never_make_html_of_text_and_load_nothing_from_elsewhere() -> None:
    ours = [path for path in ASSETS.glob("*.js") if path.name not in VENDORED]
    assert len(ours) > 10
    for path in ours:
        name, text = path.name, path.read_text()
        for word in ("innerHTML", "dangerouslySetInnerHTML", "eval(", "Function(", "https://"):
            assert word not in text, (name, word)
