"""A headless Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.client_programs import node_module

__all__ = ["CHROMIUM", "accessibility_problems", "chromium", "picture", "watched_page"]

CHROMIUM = shutil.which("chromium")
OWN = ("http://127.0.0.1:", "data:", "chrome-extension://", "chrome://")
"""Requests to the service, and those of the browser's own viewer of PDF to its files."""
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Browser, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page with cookies of its own, and what it reports: errors, dialogs, other hosts."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page, reports = context.new_page(), list[str]()
    page.on("pageerror", lambda error: reports.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: reports.append(message.text) if "Security Policy" in message.text else None,
    )
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(OWN) else reports.append(f"request: {request.url}")
        ),
    )
    try:
        yield page, reports
    finally:
        context.close()


def accessibility_problems(page: Page) -> list[str]:
    """Return what npm's axe-core finds wrong on a page: its rule, the element and the reason."""
    page.evaluate((node_module("axe-core") / "axe.min.js").read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{rule['id']}: {node['html']} ({node['failureSummary']})"
        for rule in found
        for node in rule["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    """Save a picture of a page for the documentation, if PICTURES names a directory."""
    if directory := os.environ.get("PICTURES"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)
