"""The file of the second factors."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftpservice.accounts.second_factors.factor_changes import with_code_secret
from ftpservice.accounts.second_factors.factor_file import FactorFile, FactorFileError
from ftpservice.accounts.second_factors.factor_records import Passkey, SecondFactors

SECRET = "JBSWY3DPEHPK3PXP"
STRANGE = "a\udcff<b>\n"


@pytest.fixture
def file(tmp_path: Path) -> FactorFile:
    return FactorFile(tmp_path / "second-factors.json")


def test_factors_are_kept_for_any_name_and_by_the_owner_only(file: FactorFile) -> None:
    codes = file.change(STRANGE, with_code_secret(SECRET, 5.0))
    passkey = Passkey("key", "id", "public", "ftp.example", 6.0, 7)
    file.change("bob", lambda one: (SecondFactors(None, (passkey,), one.recovery_hashes), None))
    found = FactorFile(file.path).read()
    assert found[STRANGE].code_secret is not None
    assert found[STRANGE].code_secret.secret == SECRET
    assert found["bob"].passkeys == (passkey,)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert all(code not in file.path.read_text() for code in codes)
    assert file.remove(STRANGE)
    assert not file.remove(STRANGE)
    assert list(file.read()) == ["bob"]


def test_a_damaged_file_is_an_error_and_not_an_account_without_factors(file: FactorFile) -> None:
    for content in ("[", "[]", '{"accounts": []}', '{"accounts": {"ann": {}}}'):
        file.path.write_text(content)
        with pytest.raises(FactorFileError, match="not a file of second factors"):
            file.find("ann")
        with pytest.raises(FactorFileError):
            file.change("ann", with_code_secret(SECRET, 5.0))
        assert file.path.read_text() == content
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(FactorFileError, match="directory"):
        file.find("ann")


def test_a_name_can_change_but_not_to_one_that_has_factors(file: FactorFile) -> None:
    file.change("ann", with_code_secret(SECRET, 5.0))
    file.rename("ann", "anna")
    file.change("bob", with_code_secret(SECRET, 5.0))
    with pytest.raises(FactorFileError, match="of its own"):
        file.rename("anna", "bob")
    with pytest.raises(FactorFileError, match="no second factor"):
        file.rename("ann", "x")
    assert set(file.read()) == {"anna", "bob"}


def test_changes_at_the_same_time_follow_one_another(file: FactorFile) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: file.change(str(n), with_code_secret(SECRET, 1.0)), range(30)))
    assert len(file.read()) == 30
