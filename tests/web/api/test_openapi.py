"""The description of the API."""

from __future__ import annotations

import json

import pytest
from openapi_spec_validator import validate

from ftpservice.web.api.openapi import openapi_document
from ftpservice.web.api_mount import API_ROUTES
from tests.support.docs_pages import CHECKOUT


def test_it_is_valid_and_the_page_is_current() -> None:
    document = openapi_document(API_ROUTES)
    validate(document)
    written = json.loads((CHECKOUT / "docs/openapi.json").read_text())
    assert written == json.loads(json.dumps(document)), "run: make docs"


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/files/content", {"409", "412", "415", "416", "429"}),
        ("get", "/files/zip", {"409", "413", "429"}),
        ("post", "/files/rename", {"409", "413", "507"}),
        ("post", "/accounts", {"409", "413", "507"}),
        ("delete", "/accounts/{user}", {"409", "507"}),
        ("post", "/bans", {"409", "413"}),
        ("get", "/sessions", set()),
    ],
)
def test_the_errors_of_a_route_are_described(method: str, path: str, statuses: set[str]) -> None:
    found = openapi_document(API_ROUTES)["paths"][path][method]["responses"]
    assert set(found) - {"200", "400", "401", "403", "404", "503"} == statuses


def test_every_route_is_described_once() -> None:
    names = [route.name for route in API_ROUTES.routes]
    assert len(names) == len(set(names))
    assert all(route.summary.endswith(".") for route in API_ROUTES.routes)
    for route in API_ROUTES.routes:
        found, values = API_ROUTES.find(route.path.strip("/").split("/"))[route.method]
        assert found is route
        assert set(values) == set(route.parameters)
