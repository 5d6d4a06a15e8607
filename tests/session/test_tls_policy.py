"""Which passwords and data must be encrypted, and what a session replies."""

from __future__ import annotations

from typing import cast

import pytest

from ftpservice.data.data_tls import DataTLSContext
from ftpservice.session.tls_policy import NO_TLS_POLICY, ControlTLS, DataTLS, TLSPolicy, TLSState

HERE = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", None]
ELSEWHERE = ["192.0.2.1", "10.0.0.1", "fe80::1%eth0", "::ffff:192.0.2.1", "2001:db8::1", "strange"]


@pytest.mark.parametrize("host", HERE)
def test_plaintext_logins_are_allowed_from_this_host(host: str | None) -> None:
    assert TLSPolicy().allows_password(False, host)
    assert TLSPolicy(ControlTLS.OFF).allows_password(False, host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_plaintext_logins_from_other_hosts_need_the_setting(host: str) -> None:
    assert not TLSPolicy().allows_password(False, host)
    assert not TLSPolicy(ControlTLS.OFF).allows_password(False, host)
    assert TLSPolicy(plaintext=True).allows_password(False, host)
    assert TLSPolicy().allows_password(True, host)
    assert NO_TLS_POLICY.allows_password(False, host)


@pytest.mark.parametrize("control", [ControlTLS.REQUIRED, ControlTLS.REQUIRED_LOGIN])
@pytest.mark.parametrize("host", [*HERE, *ELSEWHERE])
def test_no_plaintext_login_where_tls_is_required(control: ControlTLS, host: str | None) -> None:
    assert not TLSPolicy(control, plaintext=True).allows_password(False, host)
    assert TLSPolicy(control).allows_password(True, host)


def test_anonymous_logins_need_tls_only_where_all_do() -> None:
    for control in ControlTLS:
        policy = TLSPolicy(control)
        assert policy.allows_anonymous(False) is (control is not ControlTLS.REQUIRED)
        assert policy.allows_anonymous(True)


@pytest.mark.parametrize(
    ("data", "by_account", "expected"),
    [
        (DataTLS.OFF, False, False),
        (DataTLS.OFF, True, False),
        (DataTLS.OFFERED, False, False),
        (DataTLS.OFFERED, True, True),
        (DataTLS.REQUIRED, False, True),
    ],
)
def test_data_tls_is_required_by_the_settings_or_the_account(
    data: DataTLS, by_account: bool, expected: bool
) -> None:
    assert TLSPolicy(data=data).requires_data_tls(by_account) is expected


def test_data_is_never_plaintext_because_the_handshake_is_incomplete() -> None:
    protection = TLSState()
    assert protection.next_data_tls() is None
    protection.begin(implies_prot_p=True)
    with pytest.raises(RuntimeError):
        protection.next_data_tls()
    cover = cast(DataTLSContext, object())
    protection.handshake_done("TLSv1.3", ["ann"], cover)
    assert protection.next_data_tls() is cover
    protection.leave()
    assert protection.next_data_tls() is cover
    protection.begin(implies_prot_p=False)
    assert protection.next_data_tls() is None
    assert (protection.description, protection.names, protection.data_tls) == (
        "",
        frozenset(),
        None,
    )


def test_a_policy_takes_the_values_of_its_enums() -> None:
    """A string that is only similar to `ControlTLS.REQUIRED` would require nothing."""
    policy = TLSPolicy("required", "off")  # type: ignore[arg-type]
    assert policy == TLSPolicy(ControlTLS.REQUIRED, DataTLS.OFF)
    with pytest.raises(ValueError, match="'always' is not a valid ControlTLS"):
        TLSPolicy("always")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="True is not a valid DataTLS"):
        TLSPolicy(data=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="handshake_timeout is 0 or more, not -1"):
        TLSPolicy(handshake_timeout=-1)
