"""The description of the API."""

from __future__ import annotations

import json

from openapi_spec_validator import validate

from ftpservice.web.api.openapi import openapi_document
from ftpservice.web.api_mount import API_ROUTES
from tests.support.docs_pages import CHECKOUT


def test_it_is_valid_and_the_page_is_current() -> None:
    document = openapi_document(API_ROUTES)
    validate(document)
    written = json.loads((CHECKOUT / "docs/openapi.json").read_text())
    assert written == json.loads(json.dumps(document)), "run: make docs"


def test_every_route_is_described_once() -> None:
    names = [route.name for route in API_ROUTES.routes]
    assert len(names) == len(set(names))
    assert all(route.summary.endswith(".") for route in API_ROUTES.routes)
    for route in API_ROUTES.routes:
        found, values = API_ROUTES.find(route.path.strip("/").split("/"))[route.method]
        assert found is route
        assert set(values) == set(route.parameters)
