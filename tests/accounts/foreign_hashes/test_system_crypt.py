"""The C library's crypt: its schemes, and what it refuses."""

import ctypes

import pytest

from ftpservice.accounts.foreign_hashes import system_crypt
from ftpservice.accounts.foreign_hashes.system_crypt import SAMPLE_SETTINGS, crypt, has_crypt_scheme


@pytest.mark.parametrize("name", SAMPLE_SETTINGS)
def test_the_library_of_this_machine_has_every_scheme(name):
    assert has_crypt_scheme(name)


def test_what_the_library_refuses_is_empty():
    assert crypt(b"x", "$nonsense$") == ""
    assert crypt(b"x", "*0") == ""
    assert crypt(b"x", "") == ""
    assert crypt(b"x" * 257, SAMPLE_SETTINGS["bcrypt"]) == ""


def test_a_nul_is_not_the_end_of_a_password():
    assert crypt(b"x", SAMPLE_SETTINGS["bcrypt"])
    assert crypt(b"x\0y", SAMPLE_SETTINGS["bcrypt"]) == ""


def test_without_the_library_no_scheme_is_there(monkeypatch):
    monkeypatch.setattr(system_crypt, "LIBRARIES", ("libnonsense.so.1",))
    find = system_crypt._crypt_r.__wrapped__
    assert find() is None
    monkeypatch.setattr(system_crypt, "_crypt_r", find)
    assert not has_crypt_scheme.__wrapped__("bcrypt")


def test_a_library_without_the_function_is_passed_over(monkeypatch):
    monkeypatch.setattr(system_crypt, "LIBRARIES", ("libm.so.6", "libcrypt.so.1"))
    assert system_crypt._crypt_r.__wrapped__()(
        b"x", b"$1$ab", ctypes.create_string_buffer(262144)
    ).startswith(b"$1$ab$")
