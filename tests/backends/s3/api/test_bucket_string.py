"""Storage strings of buckets."""

import pytest

from ftpservice.backends.s3.api.bucket_string import BucketOptions, parse_bucket_string


def test_the_bucket_is_enough():
    assert parse_bucket_string("files") == BucketOptions("files")


def test_all_options_are_read():
    text = (
        r"files:prefix=/a/b/:endpoint=http\://127.0.0.1\:9000:region=eu-1:partial-age=2d:memory=1G"
    )
    found = parse_bucket_string(text + ":profile=ftp:spool=/var/tmp:ca-file=/ca.pem")
    assert found.prefix == "a/b/"
    assert found.endpoint == "http://127.0.0.1:9000"
    assert found.ca_file == "/ca.pem"
    assert (found.region, found.profile, found.spool) == ("eu-1", "ftp", "/var/tmp")
    assert (found.partial_age, found.memory) == (172_800, 1 << 30)
    assert found.shown == "s3:files:prefix=a/b"


def test_a_host_alone_is_reached_with_tls():
    assert parse_bucket_string("files:endpoint=s3.example.org").endpoint == "https://s3.example.org"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the bucket is missing: s3:BUCKET"),
        ("files/a/b", "not a bucket: 'files/a/b'; a prefix is an option: s3:files:prefix=a/b"),
        ("a", "not the name of a bucket: 'a'"),
        ("files:endpoint=http://x:9", r"a colon in an endpoint has a backslash: endpoint=http\://"),
        ("files:endpoint=ftp\\://x", "option 'endpoint': not an http or https URL: 'ftp://x'"),
        ("files:endpoint=http\\://x/b", "option 'endpoint': a URL with nothing but host and port"),
        ("files:prefix=a/../b", "option 'prefix': a prefix has no parts '.' and '..'"),
        ("files:partial-age=1m", "option 'partial-age': at least 1h"),
        ("files:memory=1M", "option 'memory': at least 16M"),
        ("files:speed=9", "unknown option 'speed' (known: prefix, endpoint, region, profile"),
    ],
)
def test_a_bad_string_is_refused_in_one_clear_line(text, reason):
    with pytest.raises(ValueError) as caught:
        parse_bucket_string(text)
    assert str(caught.value).startswith(reason)
