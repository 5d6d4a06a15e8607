"""Signatures: they are those of botocore."""

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from ftpservice.backends.s3.api.request_signature import Credentials, signed_headers
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.storage.interfaces import ISetTimes
from ftpservice.testing.contract.case import path_at
from tests.support.buckets import result

HOST = "s3.example.org:8333"


@pytest.mark.parametrize("token", [None, "a/token=="])
@pytest.mark.parametrize(
    ("method", "target", "more"),
    [
        ("GET", "/files/a%20b/%C3%BC", {"Range": "bytes=0-99", "If-Match": '"e"'}),
        ("GET", "/files/?encoding-type=url&list-type=2&prefix=a%2Fb", {}),
        ("POST", "/files/a?uploads=", {"x-amz-meta-mtime": "1.5", "Content-Length": "0"}),
        ("PUT", "/a?partNumber=1&uploadId=x-y", {"Content-Length": "3", "Content-Type": "a;  b"}),
    ],
)
def test_a_request_is_signed_as_botocore_does(method, target, more, token):
    headers = {**more, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    made = signed_headers((method, HOST, target), headers, Credentials("key", "s", token), "eu-1")
    request = AWSRequest(method=method, url=f"http://{HOST}{target}", headers=headers)
    signer = S3SigV4Auth(ReadOnlyCredentials("key", "s", token), "s3", "eu-1")
    request.context["timestamp"] = made["X-Amz-Date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(_dated(request, made["X-Amz-Date"]))
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert made["Authorization"].endswith(f"Signature={signature}")
    assert made.get("X-Amz-Security-Token") == token


def _dated(request, date):
    request.headers["X-Amz-Date"] = date
    return request


def test_metadata_that_other_programs_have_stored_in_utf8_is_kept(bucket):
    """As headers have it: bytes."""
    name = "é".encode().decode("latin-1")
    key = f"{bucket.options.prefix}file"
    bucket.served.bucket.write(key, BytesBody(b"content"), {"name": name})
    result(ISetTimes(bucket.storage()).set_times(path_at("/file"), modified=1234.0))
    facts = bucket.served.bucket.head(key)
    assert (facts.metadata["name"], facts.metadata["mtime"]) == (name, "1234.000000")
