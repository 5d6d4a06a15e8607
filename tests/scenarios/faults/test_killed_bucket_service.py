"""The service is killed while curl uploads into a bucket; curl resumes, and no byte is lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen
from unittest import mock

import pytest

from ftpservice.backends.s3.api.bucket import Bucket
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.multiparts import Multiparts
from ftpservice.backends.s3.api.signed_requests import SignedRequests
from tests.support.buckets import BUCKET
from tests.support.client_programs import program, run
from tests.support.restartable_service import noise, wait_until
from tests.support.s3_servers import SETTINGS, make_bucket, seaweed_server
from tests.support.service_process import Program

PART = 8 << 20
SIZE = 3 * PART + 12_345
SERVE = (Path(sys.executable).with_name("ftpservice"), "serve", "--allow-root", "--tls=off")


@pytest.fixture(scope="module")
def weed() -> Iterator[str]:
    with mock.patch.dict(os.environ, SETTINGS), seaweed_server() as url:
        make_bucket(url, BUCKET)
        yield url


def serving(weed: str, folder: Path) -> Program:
    endpoint = weed.replace(":", "\\:")
    words = ("--auth=memory:ann:secret", f"--root=s3:{BUCKET}:prefix=ftp:endpoint={endpoint}")
    return Program([*SERVE, "--listen=tcp:0:interface=127.0.0.1", *words], folder)


def test_curl_resumes_what_a_killed_service_has_stored(weed: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(noise(SIZE))
    requests = SignedRequests(BucketOptions(BUCKET, "ftp/", weed))
    multiparts = Multiparts(requests, Bucket(requests))

    def has_parts() -> bool:
        found = list(multiparts.open_uploads("ftp/large"))
        return bool(found) and bool(multiparts.parts(found[0].key, found[0].upload_id))

    curl = [program("curl"), "-q", "-sS", "--max-time", "50"]
    with serving(weed, tmp_path) as service:
        url = f"ftp://ann:secret@127.0.0.1:{service.port()}/large"
        upload = Popen(
            [*curl, "--limit-rate", "9M", "-T", "large", url], cwd=tmp_path, stderr=DEVNULL
        )
        wait_until(has_parts)
        service.process.send_signal(signal.SIGKILL)
        assert upload.wait(30) != 0
    with serving(weed, tmp_path) as service:
        url = f"ftp://ann:secret@127.0.0.1:{service.port()}/large"
        run([*curl, "-C", "-", "-T", "large", url], tmp_path)
        service.line("it does not keep . in names; they are refused")
        run([*curl, "-o", "back", url], tmp_path)
        run([*curl, "-r", f"{PART + 5}-", "-o", "rest", url], tmp_path)
    assert (tmp_path / "back").read_bytes() == noise(SIZE)
    assert (tmp_path / "rest").read_bytes() == noise(SIZE)[PART + 5 :]
    assert not list(multiparts.open_uploads("ftp/large"))
    requests.stop()
