"""``docs/constraints.txt``: the tested versions of everything that the product installs."""

from __future__ import annotations

import configparser
from importlib.metadata import distribution, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.service_process import CHECKOUT

EXTRAS = (
    "acme",
    "ldap",
    "metrics",
    "otel",
    "pam",
    "passkeys",
    "s3",
    "shell",
    "sql",
    "timezones",
    "totp",
)
"""Those whose packages are pinned."""
PINS = {
    canonicalize_name(pin.name): pin
    for line in (CHECKOUT / "docs" / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for pin in [Requirement(line)]
}


def declared(extras: tuple[str, ...] = EXTRAS) -> list[Requirement]:
    """What ``setup.cfg`` says that the service with these extras needs."""
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / "setup.cfg")
    texts = parser["options"]["install_requires"].splitlines() + [
        line for extra in extras for line in parser["options.extras_require"][extra].splitlines()
    ]
    return [
        Requirement(text) for text in texts if text.strip() and not text.strip().startswith("#")
    ]


def needed(extras: tuple[str, ...] = EXTRAS) -> dict[str, str]:
    """Name and installed version of all that is needed on this machine, directly or not."""
    found: dict[str, str] = {}
    waiting = declared(extras)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        for text in distribution(name).requires or ():
            inner = Requirement(text)
            extras = one.extras or {""}
            expected = inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in extras
            )
            if expected and canonicalize_name(inner.name) not in found:
                waiting.append(inner)
        found[name] = version(name)
    return found


def test_everything_that_is_needed_is_pinned_to_the_version_under_test() -> None:
    pinned = {name: str(pin.specifier).removeprefix("==") for name, pin in PINS.items()}
    assert needed() == {name: pinned.get(name) for name in needed()}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_that_installs_pyopenssl_installs_what_twisted_then_needs(extra: str) -> None:
    # Twisted imports service-identity as soon as pyOpenSSL is there; the service would not start.
    names = needed((extra,))
    assert "pyopenssl" not in names or "service-identity" in names


def test_nothing_else_is_pinned() -> None:
    # What only other Pythons or systems need may be pinned too, with a marker.
    assert {name for name, pin in PINS.items() if pin.marker is None} == set(needed())


def test_every_pin_satisfies_the_lower_bound() -> None:
    for one in declared():
        pin = PINS[canonicalize_name(one.name)]
        assert str(pin.specifier).startswith("=="), pin
        assert one.specifier.contains(str(pin.specifier).removeprefix("==")), (one, pin)
