"""The OpenAPI description of resumable uploads, whose requests are those of tus 1.0.0."""

from __future__ import annotations

from typing import Any

from ftpservice.web.api.schemas import reference

__all__ = ["UPLOAD_PATHS"]

NEEDS = "Needs the login of an account (the cookie of the page), and is about its files."
BYTES = {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}}
STATUSES = {
    "400": "A header is malformed, or the name is not possible.",
    "401": "There is no login.",
    "403": "The account lacks the right, or a gate has refused the file (`reason`: `gate`).",
    "404": "There is no such upload or directory.",
    "409": "Another number of bytes has arrived (`offset`), or a file of that name (`exists`).",
    "412": "The request is not for tus 1.0.0.",
    "413": "More bytes than were announced.",
    "415": "The body has another type.",
    "423": "Another upload of that name is under way (`in-use`).",
    "503": "The storage does not work at the moment.",
    "507": "No space left (`no-space`), or over the quota (`quota`).",
}


def _header(name: str, text: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": True, "description": text, "schema": schema}


VERSION = _header("Tus-Resumable", "`1.0.0`.")
OFFSET = _header("Upload-Offset", "How many bytes have arrived before.")


def _operation(name: str, summary: str, status: str, text: str, *headers: Any) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": reference("Problem")}}
    errors = {code: {"description": what, "content": problem} for code, what in STATUSES.items()}
    return {
        "operationId": name,
        "summary": summary,
        "description": NEEDS,
        "parameters": [VERSION, *headers],
        "responses": {status: {"description": text}, **errors},
    }


UPLOAD_PATHS: dict[str, dict[str, Any]] = {
    "/uploads": {
        "post": _operation(
            "create_upload",
            "Begin an upload; with all of its bytes in the body, the file is complete afterwards.",
            "201",
            "Location is the address of the upload, Upload-Offset what has arrived.",
            _header("Upload-Length", "Bytes of the file."),
            _header("Upload-Metadata", "`path` and `replace` (`yes`, `no`), each in Base64."),
        )
        | {"requestBody": {"required": False, "content": BYTES}},
    },
    "/uploads/{upload}": {
        "parameters": [
            {"name": "upload", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "head": _operation(
            "show_upload", "Tell how much has arrived.", "200", "Upload-Offset and Upload-Length."
        ),
        "patch": _operation(
            "continue_upload",
            "Send more bytes; with the last one the file is published.",
            "204",
            "Upload-Offset is what has arrived, Upload-Path the path of a complete file.",
            OFFSET,
        )
        | {"requestBody": {"required": True, "content": BYTES}},
        "delete": _operation(
            "give_up_upload", "Give an upload up; what has arrived is dropped.", "204", "Done."
        ),
    },
}
