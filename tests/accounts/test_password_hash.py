"""Hashes are argon2id at today's cost, and nothing malformed fits anything."""

from collections import Counter

import pytest
from argon2.low_level import Type, hash_secret
from hypothesis import given
from hypothesis import strategies as st

from ftpservice.accounts import password_hash
from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.accounts.password_hash import (
    DecoyHashes,
    check_hash,
    cost_of,
    hash_password,
    is_costly,
    needs_rehash,
    verify,
)


def cheap(password=b"secret", kind=Type.ID):
    return hash_secret(password, b"saltsalt", 1, 8, 1, 16, kind).decode()


MADE = SHIPPED_HASH
"""The same each time, for the names of the tests below."""
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def test_a_hash_fits_the_password_it_was_made_of_and_no_other():
    made = hash_password(b"demo")
    assert verify(made, b"demo")
    assert not verify(made, b"Demo")
    assert not verify(made, b"")


def test_a_hash_has_the_current_costs():
    made = hash_password(b"demo")
    assert made.startswith(password_hash.COST_PREFIX)
    assert not needs_rehash(made)
    assert not needs_rehash(cheap())
    assert needs_rehash(cheap(kind=Type.I))
    assert needs_rehash(BCRYPT)


def test_text_and_its_utf8_bytes_are_one_password(monkeypatch):
    monkeypatch.setattr(password_hash, "MEMORY_KIB", 8)
    assert verify(hash_password("grün\udcff"), b"gr\xc3\xbcn\xff")


def test_two_hashes_of_one_password_differ(monkeypatch):
    monkeypatch.setattr(password_hash, "MEMORY_KIB", 8)
    assert hash_password(b"x") != hash_password(b"x")


@pytest.mark.parametrize("kind", [Type.ID, Type.I, Type.D])
def test_every_variant_of_argon2_is_understood(kind):
    hashed = cheap(kind=kind)
    check_hash(hashed)
    assert verify(hashed, b"secret")
    assert not verify(hashed, b"other")


def test_any_bytes_are_a_password():
    assert verify(cheap(b"\xff\x00\r\n"), b"\xff\x00\r\n")


@pytest.mark.parametrize(
    ("hashed", "reason"),
    [
        ("", "not a hash of a known kind"),
        ("secret", "not a hash of a known kind"),
        ("$6$salt$digest", "not a hash of a known kind"),
        (MADE[:-1] + "!", "not a hash of a known kind"),
        (MADE + "\n", "not a hash of a known kind"),
        (MADE.replace("argon2id", "argon2x"), "not a hash of a known kind"),
        (MADE.replace("m=19456", "m=2000000000"), "too much"),
        (MADE.replace("t=2", "t=110"), "too much"),
        (MADE.replace("p=1", "p=65"), "too much"),
        (MADE.replace("t=2", "t=0"), "impossible"),
        (MADE.replace("p=1", "p=0"), "impossible"),
        (MADE.replace("m=19456", "m=7"), "impossible"),
    ],
)
def test_what_is_no_usable_hash_is_refused_with_a_reason(hashed, reason):
    with pytest.raises(ValueError, match=reason):
        check_hash(hashed)


@pytest.mark.parametrize(
    "hashed",
    ["", "demo", MADE[:-1] + "!", cheap().replace("t=1", "t=0"), cheap().replace("m=8", "m=1")],
)
def test_nothing_fits_what_is_no_hash(hashed):
    assert not verify(hashed, b"demo")


@given(st.text(), st.binary())
def test_no_text_makes_checking_fail(hashed, password):
    assert not verify(hashed, password)


COST_OF_OURS = "$argon2id$v=19$m=8,t=1,p=1$"


def test_a_decoy_fits_nothing_and_has_the_cost_of_an_account():
    ours = cheap()
    decoy = DecoyHashes([ours, "nonsense"]).hash_for("nobody")
    assert decoy.startswith(COST_OF_OURS)
    check_hash(decoy)
    assert not verify(decoy, b"secret")
    assert decoy != DecoyHashes([ours]).hash_for("nobody")
    assert DecoyHashes([]).hash_for("nobody").startswith(password_hash.COST_PREFIX)


def test_unknown_names_have_the_costs_of_the_accounts_in_proportion_and_always_the_same():
    decoys = DecoyHashes([cheap(), cheap(), cheap(), MADE])
    names = [f"name{number}" for number in range(4000)]
    ours = [decoys.hash_for(name).startswith(COST_OF_OURS) for name in names]
    assert ours == [decoys.hash_for(name).startswith(COST_OF_OURS) for name in names]
    assert 2700 < sum(ours) < 3300  # 3000, eleven standard deviations either way


def test_decoys_have_the_schemes_of_the_accounts_in_proportion():
    decoys = DecoyHashes([BCRYPT, BCRYPT.replace("$04$", "$05$"), MADE, MADE])
    found = Counter(decoys.hash_for(f"name{number}")[:7] for number in range(4000))
    assert set(found) == {"$2b$04$", "$2b$05$", "$argon2"}
    assert 1700 < found["$argon2"] < 2300  # 2000, nine standard deviations either way
    assert 800 < found["$2b$04$"] < 1200


def test_the_cost_of_a_hash_that_is_not_argon2_has_one_pass():
    assert cost_of(BCRYPT) == (0, 1)
    assert cost_of("$y$j9T$........$" + "a" * 43) == (16384, 1)
    assert cost_of("nonsense") == (0, 0)


@pytest.mark.parametrize(
    ("cost", "allowed"),
    [
        ("m=65536,t=3,p=4", True),
        ("m=262144,t=2,p=1", True),
        ("m=8192,t=255,p=1", True),
        ("m=262144,t=9,p=1", False),
        ("m=1048576,t=2,p=1", False),
        ("m=19456,t=108,p=1", False),
    ],
)
def test_memory_times_passes_of_one_check_is_bounded(cost, allowed):
    hashed = MADE.replace("m=19456,t=2,p=1", cost)
    if allowed:
        check_hash(hashed)
    else:
        with pytest.raises(ValueError, match=f"costs too much to check .{cost}"):
            check_hash(hashed)


def test_a_check_of_more_than_half_a_second_is_costly():
    assert not is_costly(MADE.replace("m=19456,t=2", "m=262144,t=2"))
    assert is_costly(MADE.replace("m=19456,t=2", "m=8192,t=65"))
    assert not is_costly(BCRYPT)
    assert not is_costly("nonsense")
