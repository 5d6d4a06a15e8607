"""The API as a whole: all routes, and their description."""

from __future__ import annotations

import json

from ftpservice.web.api import (
    account_routes,
    factor_routes,
    node_routes,
    past_routes,
    service_routes,
    trace_routes,
)
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.api_resource import ApiResource, CallerAccess
from ftpservice.web.api.live_stream import LiveStream
from ftpservice.web.api.openapi import API_ROOT, openapi_document
from ftpservice.web.api.routes import RouteTable
from ftpservice.web.files import change_routes, content_routes, listing_routes, trash_routes
from ftpservice.web.http.web_request import WebRequest
from ftpservice.web.http.web_site import WebSite
from ftpservice.web.shares import share_routes

__all__ = ["API_ROUTES", "mount_api"]

API_ROUTES = RouteTable()
for table in (
    service_routes.routes,
    node_routes.routes,
    past_routes.routes,
    account_routes.routes,
    factor_routes.routes,
    trace_routes.routes,
    listing_routes.routes,
    content_routes.routes,
    change_routes.routes,
    trash_routes.routes,
    share_routes.routes,
):
    API_ROUTES.routes += table.routes


def mount_api(site: WebSite, access: CallerAccess, parts: ApiParts, live: LiveStream) -> None:
    """Serve the API, its description at ``openapi.json`` without a caller, and ``live``."""
    resource = ApiResource(API_ROUTES, access, parts)
    description = json.dumps(openapi_document(API_ROUTES), indent=1).encode() + b"\n"

    def describe(request: WebRequest) -> None:
        request.send(200, description, b"application/json")

    resource.fixed["openapi.json"] = describe
    resource.streams["live"] = live.listen
    site.mount(API_ROOT, resource)
