"""Writes ``docs/openapi.json`` from the routes of the API."""

from __future__ import annotations

import json
from pathlib import Path

from ftpservice.web.api.openapi import openapi_document
from ftpservice.web.api_mount import API_ROUTES

__all__ = ["openapi_text"]

PAGE = Path(__file__).with_name("openapi.json")


def openapi_text() -> str:
    """Return the file."""
    return json.dumps(openapi_document(API_ROUTES), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(openapi_text(), encoding="utf-8")
