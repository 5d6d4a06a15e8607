"""The closed set of storage errors."""

import pytest

from ftpservice.storage import errors
from ftpservice.testing.contract.case import path_at


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"StorageError"}))
def test_every_error_is_a_storage_error_that_says_to_what_it_happened(name):
    error = getattr(errors, name)(path_at("/file"), "why")
    assert isinstance(error, errors.StorageError)
    assert (error.path, error.detail) == (path_at("/file"), "why")


def test_a_detail_may_be_missing():
    assert errors.PathNotFound(path_at("/file")).detail == ""


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"StorageError", "Unavailable"}))
def test_every_error_has_words_of_its_own(name):
    assert getattr(errors, name).words != errors.StorageError.words


SPECIAL_CASES = {
    errors.IntoItself: errors.InvalidName,
    errors.NotInTrash: errors.PathNotFound,
    errors.QuotaUnknown: errors.Busy,
    errors.TrashFull: errors.NoSpace,
}
"""Errors that say more than a general one, which a storage may raise in their place."""


def test_no_error_passes_for_another_but_a_special_case_for_its_general_one():
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "StorageError"]
    general = {kind: SPECIAL_CASES.get(kind, errors.StorageError) for kind in kinds}
    assert {kind: kind.__mro__[1] for kind in kinds} == general
