"""Rights, presets, and the words for them."""

import pytest

from ftpservice.storage.rights import PRESETS, Right, parse_rights


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_word(preset):
    assert parse_rights([preset]) == PRESETS[preset]


@pytest.mark.parametrize("right", Right)
def test_every_right_is_a_word(right):
    assert right in parse_rights([right.value])
    if right.value not in PRESETS:  # "read" is the preset, which lists too
        assert parse_rights([right.value]) == {right}


def test_words_add_up():
    assert parse_rights(["read", "delete", "list"]) == {Right.LIST, Right.READ, Right.DELETE}
    assert parse_rights([]) == frozenset()


def test_an_unknown_word_is_named_with_the_known():
    with pytest.raises(ValueError, match=r"unknown right 'fly' .known: read, full, .*admin"):
        parse_rights(["read", "fly"])


def test_no_preset_gives_a_sight_of_what_others_do():
    assert all(Right.ADMIN not in rights for rights in PRESETS.values())


def test_who_may_only_upload_can_neither_see_nor_change_what_is_there():
    seeing = {Right.LIST, Right.READ, Right.OVERWRITE, Right.APPEND, Right.DELETE, Right.RENAME}
    assert seeing.isdisjoint(PRESETS["upload-only"])
