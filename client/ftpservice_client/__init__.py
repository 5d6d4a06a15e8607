"""The client side of ftpservice: FTP, FTP under TLS and the simple protocol with one API."""

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.replies import Reply
from ftpservice_client.api.client import Client
from ftpservice_client.api.connect import (
    PendingLogin,
    connect,
    connect_endpoint,
    connect_pool,
    connect_without_login,
)
from ftpservice_client.errors import (
    AccessDenied,
    AlreadyExists,
    AuthenticationFailed,
    BadURL,
    CannotConnect,
    CertificateNotTrusted,
    ClientError,
    InvalidArgument,
    LocalFileError,
    MirrorIncomplete,
    NetworkError,
    NotFound,
    ProtocolViolation,
    ServerBusy,
    ServerRefused,
    StorageFull,
    Timeout,
    UnparsableListing,
    UnsafePath,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.local.sources import Readable
from ftpservice_client.local.targets import Writable
from ftpservice_client.mirror.progress import MirrorProgress
from ftpservice_client.results import (
    Digest,
    Listing,
    MirrorResult,
    MirrorStep,
    ProgressCallback,
    TransferResult,
)
from ftpservice_client.settings import ExplicitTLS, Settings
from ftpservice_client.trust import Trust
from ftpservice_client.urls import Destination, Scheme, parse_url

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "AuthenticationFailed",
    "BadURL",
    "CannotConnect",
    "CertificateNotTrusted",
    "Client",
    "ClientError",
    "Destination",
    "Digest",
    "Entry",
    "ExplicitTLS",
    "InvalidArgument",
    "Kind",
    "Listing",
    "LocalFileError",
    "MirrorIncomplete",
    "MirrorProgress",
    "MirrorResult",
    "MirrorStep",
    "NetworkError",
    "NotFound",
    "PendingLogin",
    "ProgressCallback",
    "ProtocolViolation",
    "Readable",
    "Reply",
    "Scheme",
    "ServerBusy",
    "ServerRefused",
    "Settings",
    "StorageFull",
    "Timeout",
    "TransferResult",
    "Trust",
    "UnparsableListing",
    "UnsafePath",
    "Unsupported",
    "VerificationFailed",
    "Writable",
    "connect",
    "connect_endpoint",
    "connect_pool",
    "connect_without_login",
    "parse_url",
]
