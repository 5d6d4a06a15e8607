"""The client side of ftpservice: FTP, FTP under TLS and the simple protocol behind one API."""

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.replies import Reply
from ftpservice_client.api.client import Client
from ftpservice_client.api.connect import Greeted, connect, connect_endpoint, connect_pool, greet
from ftpservice_client.errors import (
    BadName,
    BadURL,
    Busy,
    CannotConnect,
    ClientError,
    Cut,
    Denied,
    Exists,
    Garbled,
    Incomplete,
    LocalProblem,
    LoginFailed,
    Mismatch,
    NoSpace,
    NotFound,
    Refused,
    Timeout,
    UnreadListing,
    Unsafe,
    Unsupported,
    Untrusted,
)
from ftpservice_client.local.sources import Readable
from ftpservice_client.local.targets import Writable
from ftpservice_client.mirror.progress import Tally
from ftpservice_client.results import Digest, Listing, Mirrored, Progress, Step, Transfer
from ftpservice_client.settings import ExplicitTLS, Settings
from ftpservice_client.trust import Trust
from ftpservice_client.urls import Destination, Scheme, parse_url

__all__ = [
    "BadName",
    "BadURL",
    "Busy",
    "CannotConnect",
    "Client",
    "ClientError",
    "Cut",
    "Denied",
    "Destination",
    "Digest",
    "Entry",
    "Exists",
    "ExplicitTLS",
    "Garbled",
    "Greeted",
    "Incomplete",
    "Kind",
    "Listing",
    "LocalProblem",
    "LoginFailed",
    "Mirrored",
    "Mismatch",
    "NoSpace",
    "NotFound",
    "Progress",
    "Readable",
    "Refused",
    "Reply",
    "Scheme",
    "Settings",
    "Step",
    "Tally",
    "Timeout",
    "Transfer",
    "Trust",
    "UnreadListing",
    "Unsafe",
    "Unsupported",
    "Untrusted",
    "Writable",
    "connect",
    "connect_endpoint",
    "connect_pool",
    "greet",
    "parse_url",
]
