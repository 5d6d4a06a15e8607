"""Errors of storages as problems: each has a status, a text and a word that is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice.storage import errors
from ftpservice.web.files.file_problems import REASONS, problem_for
from ftpservice.web.uploads.upload_problems import problem_of_upload
from ftpservice.wire.paths import VirtualPath

PATH = VirtualPath.parse("/a")
DOCUMENTED = (Path(__file__).parents[3] / "docs/http.md").read_text()
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.StorageError)
    and kind is not errors.StorageError
]


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_uploads_have_the_same_documented_words(
    kind: type[errors.StorageError],
) -> None:
    error = kind(PATH, "no", "scan") if kind is errors.RefusedByGate else kind(PATH)
    problem, of_upload = problem_for(error), problem_of_upload(error)
    assert problem is not None
    assert of_upload is not None
    word = problem.more["reason"]
    assert f"`{word}`" in DOCUMENTED
    assert of_upload.more["reason"] == ("exists" if kind is errors.IsDirectory else word)
    assert 400 <= problem.status < 600
    assert problem.detail


def test_every_word_is_documented() -> None:
    assert all(f"`{word}`" in DOCUMENTED for word in {*REASONS.values(), "storage"})
