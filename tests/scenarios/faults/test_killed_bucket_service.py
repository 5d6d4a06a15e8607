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
from ftpservice.backends.s3.api.signed_requests import BytesBody, SignedRequests
from tests.support.buckets import BUCKET
from tests.support.client_programs import program, run
from tests.support.restartable_service import noise, wait_until
from tests.support.s3_servers import SETTINGS, make_bucket, seaweed_server
from tests.support.service_process import Program

PART = 8 << 20
SIZE = 3 * PART + 12_345
RATES = {PART - 1: "1500K", SIZE: "9M"}
"""What a client sends in a second, by the size of the file, which takes some seconds."""
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


def words(client: str, port: int, rate: str = "") -> list[str]:
    """Return the command that resumes the upload of the file, or, with a rate, uploads it."""
    if client == "curl":
        way = ("--limit-rate", rate) if rate else ("-C", "-")
        url = f"ftp://ann:secret@127.0.0.1:{port}/over"
        return [program("curl"), "-q", "-sS", "--max-time", "50", *way, "-T", "over", url]
    settings = "set ftp:ssl-allow no; set net:max-retries 1; set net:reconnect-interval-base 1"
    if rate:
        settings += f"; set net:limit-rate 0:{rate}"
    put = "put over" if rate else "put -c over"
    opened = f"open -u ann,secret -p {port} 127.0.0.1"
    return [program("lftp"), "--norc", "-c", f"{settings}; {opened}; {put}"]


@pytest.mark.parametrize("client", ["curl", "lftp"])
@pytest.mark.parametrize("size", [PART - 1, SIZE], ids=["small", "large"])
def test_a_client_replaces_a_file_after_the_service_was_killed(
    weed: str, tmp_path: Path, client: str, size: int
) -> None:
    """Of the small file nothing is stored by then, and the client begins anew."""
    (tmp_path / "over").write_bytes(noise(size, 1))
    requests = SignedRequests(BucketOptions(BUCKET, "ftp/", weed))
    bucket = Bucket(requests)
    multiparts = Multiparts(requests, bucket)
    bucket.write("ftp/over", BytesBody(noise(PART // 2, 2)))

    def is_under_way() -> bool:
        if size < PART:
            return bucket.has_any("ftp/.ftpservice/partials/over.")
        found = list(multiparts.open_uploads("ftp/over"))
        return bool(found) and bool(multiparts.parts(found[0].key, found[0].upload_id))

    with serving(weed, tmp_path) as service:
        upload = Popen(words(client, service.port(), RATES[size]), cwd=tmp_path, stderr=DEVNULL)
        wait_until(is_under_way)
        service.process.send_signal(signal.SIGKILL)
        assert upload.wait(30) != 0
    kept = len(list(multiparts.open_uploads("ftp/over")))
    assert kept == (size > PART)
    with serving(weed, tmp_path) as service:
        run(words(client, service.port()), tmp_path, cwd=tmp_path)
    assert bucket.read("ftp/over", 0, 2 * SIZE).data == noise(size, 1)
    assert not list(multiparts.open_uploads("ftp/over"))
    assert not bucket.has_any("ftp/.ftpservice/partials/")
    requests.stop()
