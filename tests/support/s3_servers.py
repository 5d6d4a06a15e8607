"""S3 servers for tests: moto, which is quick, and SeaweedFS, which is real."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import urllib3

from benchmarks.ports import reserved_port
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.api.signed_requests import S3Call, SignedRequests
from tests.support.run_watcher import end_with_run, remove_with_run

KEY, SECRET = "testkey", "testsecret"
SETTINGS = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment of whoever uses the servers."""
MOTO = """
import ssl, sys
from moto import server
class Moto(server.ThreadedMotoServer):
    def start(self):
        super().start()
        if sys.argv[1:]:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(sys.argv[1])
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
moto = Moto(ip_address="127.0.0.1", port=0, verbose=False)
moto.start()
print(moto.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
QUIET = "-master.volumeSizeLimitMB=64 -master.telemetry=false -s3.port.iceberg=0 -s3.port.lance=0"
START_SECONDS = 60


@contextmanager
def moto_server(certificate: Path | None = None) -> Iterator[str]:
    """Run moto, with TLS if there is a file with a key and a certificate; yields its URL."""
    given = [] if certificate is None else [str(certificate)]
    program = [sys.executable, "-c", MOTO, *given]
    with end_with_run(
        subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    ) as process:
        scheme = "https" if given else "http"
        yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


@contextmanager
def seaweed_server(place: str | None = None) -> Iterator[str]:
    """Run SeaweedFS, with its data in ``place``; yields the URL of its S3 server."""
    weed = Path(sys.executable).with_name("weed")
    directory = tempfile.TemporaryDirectory(prefix="ftpservice-weed-", dir=place)
    with ExitStack() as stack, directory as folder:
        rights = [{"accessKey": KEY, "secretKey": SECRET}]
        identity = {"name": "t", "credentials": rights, "actions": ["Admin", "Read", "Write"]}
        Path(folder, "s3.json").write_text(json.dumps({"identities": [identity]}))
        names = ("master", "volume", "filer", "s3")
        ports = {name: stack.enter_context(reserved_port()) for name in names}
        options = [f"-{name}.port={port}" for name, port in ports.items()]
        for name in names:
            options.append(f"-{name}.port.grpc={stack.enter_context(reserved_port())}")
        options += f"-dir={folder} -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3".split()
        options += f"-volume.max=300 -s3.config={folder}/s3.json {QUIET}".split()
        with open(f"{folder}/log", "wb") as log:
            command = [weed, "server", *options]
            process = end_with_run(subprocess.Popen(command, stdout=log, stderr=log))
        remove_with_run(Path(folder))
        try:
            url = f"http://127.0.0.1:{ports['s3']}"
            wait_for(process, f"http://127.0.0.1:{ports['filer']}/")
            wait_for(process, url)
            make_bucket(url, "warm")
            yield url
        finally:
            process.kill()
            process.wait()


def wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until something answers at ``url``."""
    ends = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib3.request("GET", url, retries=False, timeout=2)
        except urllib3.exceptions.HTTPError:
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < ends, f"no answer from {url}"
            time.sleep(0.1)
        else:
            return


def make_bucket(url: str, bucket: str) -> None:
    """Create a bucket, when the server is ready for it."""
    ends = time.monotonic() + START_SECONDS
    requests = SignedRequests(BucketOptions(bucket, endpoint=url))
    while True:
        try:
            requests.send(S3Call("PUT"))
        except S3Failure:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)
        else:
            requests.stop()
            return
