from __future__ import annotations

import pytest

from ftpservice_client import BadURL, Scheme
from ftpservice_client.console.address import destination


def test_a_bare_host_is_ftp() -> None:
    place = destination("files.example:2121")
    assert (place.scheme, place.host, place.port) == (Scheme.FTP, "files.example", 2121)
    assert destination("simple://h").scheme is Scheme.SIMPLE


@pytest.mark.parametrize("text", ["", "http://h/", "ftp://", "h:x"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadURL):
        destination(text)
