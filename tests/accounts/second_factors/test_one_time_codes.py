"""One-time codes, by the test vectors of RFC 6238."""

from __future__ import annotations

import base64

import pytest

from ftpservice.accounts.second_factors.one_time_codes import code_step, enrolment_uri, qr_of

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "code"), [(59, "287082"), (1111111109, "081804"), (2000000000, "279037")]
)
def test_codes_are_those_of_the_rfc(now: int, code: str) -> None:
    assert code_step(RFC_SECRET, code, now) == now // 30
    assert code_step(RFC_SECRET, code, now + 90) is None


def test_the_uri_names_account_and_service_whatever_their_characters() -> None:
    uri = enrolment_uri(RFC_SECRET, "ann:\udcff <b>&", "ftp.example")
    assert uri.startswith("otpauth://totp/ftp.example:ann%20%3F%20%3Cb%3E%26?")
    assert f"secret={RFC_SECRET}" in uri
    assert "issuer=ftp.example" in uri
    assert qr_of(enrolment_uri(RFC_SECRET, "ä" * 127, "x" * 63)).svg_data_uri().startswith("data:")
