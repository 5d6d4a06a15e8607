"""What uploads read from: paths, bytes, open files, Twisted producers."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from twisted.internet.interfaces import IPullProducer, IPushProducer

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.linux import is_cached
from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice_client.errors import Unsupported
from ftpservice_client.interfaces import UploadSource
from ftpservice_client.local.files import OpenFile, local_errors
from ftpservice_client.local.producer_source import ProducerSource

__all__ = ["Readable", "source_for"]

Readable = Path | bytes | bytearray | memoryview | BinaryIO | IPushProducer | IPullProducer
"""What can be uploaded."""

T = TypeVar("T")
DIGEST_READ_SIZE = 1 << 20
