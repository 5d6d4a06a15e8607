"""When a certificate is renewed, and when a failed attempt is repeated.

Authorities count failed attempts: Let's Encrypt allows five an hour for an account and a name. The
delays keep to that from the first attempt on. An authority that cannot be reached counts nothing,
and is asked again earlier.
"""

from __future__ import annotations

from collections.abc import Callable

from ftpservice.net.tls.certificate_file import renewal_lead

__all__ = ["MAX_DELAY_SECONDS", "is_overdue", "renewal_time", "retry_delay"]

DAY_SECONDS = 86_400.0
OVERDUE_SHARE = 0.5
"""The share of the time for a renewal after which it is overdue."""
REFUSED_SECONDS, REFUSED_GROWTH, MAX_REFUSED_SECONDS = 60.0, 3.0, 43_200.0
UNREACHABLE_SECONDS, UNREACHABLE_GROWTH, MAX_UNREACHABLE_SECONDS = 5.0, 2.0, 3600.0
MAX_ASKED_SECONDS = 7 * DAY_SECONDS
"""The longest delay that an authority may ask for."""
JITTER = 0.2
"""The share by which a delay may be longer, so that many services do not ask at once."""
MAX_DELAY_SECONDS = MAX_ASKED_SECONDS * (1 + JITTER)
"""No delay is longer."""
MAX_EXPONENT = 30


def renewal_time(not_before: float, not_after: float) -> float:
    """Return when to renew a certificate with these times."""
    return not_after - renewal_lead(not_before, not_after)


def is_overdue(not_before: float, not_after: float, now: float) -> bool:
    """Return whether a certificate should have been renewed long ago."""
    return now > not_after - renewal_lead(not_before, not_after) * OVERDUE_SHARE


def retry_delay(
    failures: int, is_unreachable: bool, asked: float, random: Callable[[], float]
) -> float:
    """Return the seconds to wait after so many failures in a row, 1 or more.

    ``asked`` is the delay that the authority asks for; ``random`` returns a number from 0 to 1.
    """
    exponent = min(failures - 1, MAX_EXPONENT)
    if is_unreachable:
        delay = min(UNREACHABLE_SECONDS * UNREACHABLE_GROWTH**exponent, MAX_UNREACHABLE_SECONDS)
    else:
        delay = min(REFUSED_SECONDS * REFUSED_GROWTH**exponent, MAX_REFUSED_SECONDS)
    return max(delay, min(asked, MAX_ASKED_SECONDS)) * (1 + JITTER * random())
