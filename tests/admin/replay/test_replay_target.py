"""The URL of a replay."""

import pytest

from ftpservice.admin.replay.replay_target import parse_target


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://h", ("h", 21, False, None, None)),
        ("ftps://h/", ("h", 990, True, None, None)),
        ("ftp://ann@h:2121", ("h", 2121, False, "ann", None)),
        ("ftp://a%40b:p%3Aw@[::1]:2121", ("::1", 2121, False, "a@b", "p:w")),
    ],
)
def test_urls(url, expected):
    found = parse_target(url)
    assert (found.host, found.port, found.is_implicit, found.user, found.password) == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://h", "ftp://"),
        ("h:21", "ftp://"),
        ("ftp://", "no host"),
        ("ftp://h/file", "ends after"),
        ("ftp://a%0d%0ab@h", "cannot carry"),
        ("ftp://h:99999", "ort"),
    ],
)
def test_other_urls_are_refused(url, why):
    with pytest.raises(ValueError, match=why):
        parse_target(url)
