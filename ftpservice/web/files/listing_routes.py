"""Lists of directories, facts of names and the search for names."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

from ftpservice.storage.links import lstat
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, array, reference
from ftpservice.web.files.directory_batches import OpenDirectory, has_address
from ftpservice.web.files.file_facts import entry_facts, quota_facts, rights_facts
from ftpservice.web.files.file_problems import account_of, path_of, refusals
from ftpservice.web.files.name_search import NameSearch
from ftpservice.web.files.response_stream import ResponseStream
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest

__all__ = ["MAX_ENTRIES", "NDJSON", "routes"]

routes = RouteTable()

MAX_ENTRIES = 100_000
JSON = b"application/json"
NDJSON = "application/x-ndjson"
PATH_QUERY = {"path": "An absolute path; a byte that is not UTF-8 is percent-encoded as it is."}
LISTING = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "may": ANY,
        "quota": {"anyOf": [ANY, {"type": "null"}]},
        "entries": array(reference("FileEntry")),
        "left_out": {"type": "integer"},
        "is_complete": {"type": "boolean"},
    },
}


@routes.add("GET", "/files/list", None, LISTING, query=PATH_QUERY, is_streamed=True, errors=(409,))
async def list_files(_parts: ApiParts, call: ApiCall, request: WebRequest) -> None:
    """List a directory, in no order; names that no path can have are only counted."""
    account, path = account_of(call), path_of(call)
    context = account.context
    with refusals(account, "GET list", path):
        quota = await quota_facts(context.storage)
        directory = await OpenDirectory.of(context.storage, path)
    heading = {"path": str(path), "may": rights_facts(context, path), "quota": quota}
    request.setHeader(b"Content-Type", JSON)
    stream = ResponseStream(request, context.services)
    count = left_out = 0
    is_complete = True
    await stream.write(json.dumps(heading).encode()[:-1] + b', "entries": [')
    async with aclosing(directory.batches()) as batches:
        async for batch in batches:
            shown = [entry for entry in batch if has_address(entry)]
            left_out += len(batch) - len(shown)
            is_complete = len(shown) <= MAX_ENTRIES - count
            del shown[MAX_ENTRIES - count :]
            lines = ",\n".join(json.dumps(entry_facts(entry)) for entry in shown)
            await stream.write((",\n" if count and shown else "").encode() + lines.encode())
            count += len(shown)
            if not is_complete:
                break
    ending = {"left_out": left_out, "is_complete": is_complete}
    await stream.write(b"], " + json.dumps(ending).encode()[1:] + b"\n")
    stream.finish()


@routes.add("GET", "/files/facts", None, reference("FileEntry"), query=PATH_QUERY, errors=(409,))
async def file_facts(_parts: ApiParts, call: ApiCall) -> Any:
    """Return the facts of a file or directory; of a link those of the link."""
    account, path = account_of(call), path_of(call)
    with refusals(account, "GET facts", path):
        return entry_facts(await lstat(account.context.storage, path), path.name)


@routes.add(
    "GET",
    "/files/search",
    None,
    ANY,
    query=PATH_QUERY
    | {"name": "A part of the names, in any case; with '*' or '?' a pattern for all of a name."},
    media=NDJSON,
    is_streamed=True,
    errors=(409,),
)
async def search_files(_parts: ApiParts, call: ApiCall, request: WebRequest) -> None:
    """Search a directory and what is below it; one entry a line, and ``is_complete`` last."""
    account, path = account_of(call), path_of(call)
    text = call.query.get("name", "")
    if not text:
        raise Problem(400, "The parameter 'name' is missing.")
    try:
        search = NameSearch(account.context.storage, account.context.services.clock, text)
    except ValueError as error:
        raise Problem(400, f"{str(error).capitalize()}.") from None
    with refusals(account, "GET search", path):
        await search.begin(path)
    request.setHeader(b"Content-Type", NDJSON.encode())
    stream = ResponseStream(request, account.context.services)
    async with aclosing(search.run()) as found:
        async for batch in found:
            for where, entry in batch:
                await stream.write_line({"path": str(where)} | entry_facts(entry))
    await stream.write_line({"is_complete": search.is_complete, "unreadable": search.unreadable})
    stream.finish()
