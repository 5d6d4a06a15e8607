"""Two contents of a document that have no history in common."""

from __future__ import annotations

from ftpservice.cluster.documents.document_merge import merged_content


def test_what_only_one_has_is_kept_and_of_two_the_common_one_counts() -> None:
    common = {"accounts": {"ann": {"code": 1}, "bob": {"code": 2}}, "other": 1}
    own = {"accounts": {"bob": {"code": 3}, "eve": {"code": 4}}, "more": [1]}
    content, conflicts = merged_content(common, own)
    assert content == {
        "accounts": {"ann": {"code": 1}, "bob": {"code": 2}, "eve": {"code": 4}},
        "other": 1,
        "more": [1],
    }
    assert conflicts == ["bob"]


def test_entries_of_lists_are_told_apart_by_their_hash_or_themselves() -> None:
    shared = {"hash": "0123456789abcdef", "user": "ann"}
    other = {"hash": "f0", "user": "bob"}
    common = {"shares": [shared], "unfinished": ["x"]}
    own = {"shares": [other, {**shared, "user": "anna"}], "unfinished": ["x", "y"]}
    content, conflicts = merged_content(common, own)
    assert content == {"shares": [shared, other], "unfinished": ["x", "y"]}
    assert conflicts == ["0123456789ab"]


def test_of_two_times_the_later_one_counts() -> None:
    common, own = {"owners": {"a": 5.0, "b": 9}}, {"owners": {"a": 7.0, "b": 2}}
    assert merged_content(common, own) == ({"owners": {"a": 7.0, "b": 9}}, [])


def test_another_kind_of_value_is_a_conflict() -> None:
    content, conflicts = merged_content({"accounts": {"a": 1}}, {"accounts": []})
    assert (content, conflicts) == ({"accounts": {"a": 1}}, ["accounts"])
