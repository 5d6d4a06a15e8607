"""Texts of replies are equal but for ports, dates, sizes and identifiers."""

import pytest

from ftpservice.admin.replay.reply_comparison import same_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Entering Passive Mode (127,0,0,1,4,1)", "Entering Passive Mode (10,0,0,2,200,7)"),
        ("Extended (|||4242|)", "Extended (|||51000|)"),
        ("20261129140000.5", "20250101000000"),
        ("-rw-r--r-- 1 5 Nov 29 14:00 a", "-rw-r--r-- 1 70 Jan 1 2025 a"),
        (
            "size=5;unique=1ag2;modify=20261129140000; a",
            "size=60;unique=zz;modify=20250101000000; a",
        ),
        ("SHA-256 0-5 9f86d081884c7d65 a", "SHA-256 0-7 60303ae22b998861 a"),
    ],
)
def test_what_differs_from_run_to_run_is_equal(one, other):
    assert same_text([one], [other])


@pytest.mark.parametrize(
    ("one", "other"),
    [(["Done."], ["No such file."]), (["a"], ["a", "b"]), (["size=5; a"], ["size=5; b"])],
)
def test_other_texts_differ(one, other):
    assert not same_text(one, other)


def test_a_transcript_without_texts_fits_all():
    assert same_text([], ["anything"])
