"""Which certificates are trusted: settings that contradict each other are refused."""

from pathlib import Path
from typing import Any

import pytest

from ftpservice_client import Trust

FINGERPRINT = "AB" * 32


@pytest.mark.parametrize(
    "given",
    [
        {"ca_file": Path("ca.pem"), "fingerprint": FINGERPRINT},
        {"ca_file": Path("ca.pem"), "insecure": True},
        {"fingerprint": FINGERPRINT, "insecure": True},
    ],
)
def test_several_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        Trust(**given)


def test_wrong_types_are_refused() -> None:
    with pytest.raises(TypeError, match="insecure a bool, not '' and 'no'"):
        Trust(insecure="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"fingerprint is a str .* not b'AB' and False"):
        Trust(fingerprint=b"AB")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ca_file is the path of a file, not 5"):
        Trust(ca_file=5)  # type: ignore[arg-type]


def test_a_path_may_be_a_string() -> None:
    assert Trust("ca.pem") == Trust(Path("ca.pem"))  # type: ignore[arg-type]
