"""Hashes of other programs: each form is verified, bounded in cost, and has decoys."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from ftpservice.accounts.foreign_hashes import verification
from ftpservice.accounts.foreign_hashes.verification import (
    check_foreign_hash,
    foreign_cost,
    foreign_decoy,
    foreign_scheme,
    is_whole_password_hashed,
    verify_foreign,
)

PASSWORD = "s3cret pässwörd".encode()
SALT_B64 = "AAFiaW5hcnkgc2FsdA=="
HASHES = [
    ("bcrypt", "$2b$04$nyxJ/vsctz.gyV8S0LOR/.g4.kj7.mD2RXyVxd8TpNJfp1J7Uy3Fa"),
    ("bcrypt", "$2a$04$nyxJ/vsctz.gyV8S0LOR/.g4.kj7.mD2RXyVxd8TpNJfp1J7Uy3Fa"),
    ("bcrypt", "$2y$04$nyxJ/vsctz.gyV8S0LOR/.g4.kj7.mD2RXyVxd8TpNJfp1J7Uy3Fa"),
    (
        "sha512-crypt",
        "$6$rounds=1000$UX8WuMWEzZlkcKz/$Id02dZLB5BOGfYepjXnhv0p0dfHOcH0t4.2hz/r9D4wV94ycEzrZZWL5J"
        "DSYuHRNI87Uuv5J.VcW1iAL68Cnr/",
    ),
    ("sha256-crypt", "$5$VNDqAbYV7UwtKYKz$gc.XMqtKQvth/rVX1zE1.h2.qN9FlY05xDw2oydv/S2"),
    ("yescrypt", "$y$j75$OUsd4gu.RQpsDq6GTYzvF0$WVlyAK3rHTy4hATNVoOFG/P8t4fLi0fOSCqrJaPgDu5"),
    ("scrypt-crypt", "$7$46..../....saltsalt$nV8KElgbCiFZoTwmG43NVV12tJXo9tHXyuvrUV/tm5."),
    (
        "scrypt",
        "$scrypt$ln=4,r=8,p=1$u7c2Rqh1rlXqvTcmhFDK2Q$VS/ksd5TZLWcXUKswRonJsZDdp5PFWClSyzcYuN30R0",
    ),
    ("md5-crypt", "$1$NCNWqpmc$pYe.meHDlFX7tnU5TckNC0"),
    ("apr1", "$apr1$ZjkiVVHL$CesCluUbsy33KBVlnN5R10"),
    ("pbkdf2", "$pbkdf2$1000$JUQoJURozbk3Rui9N0ZorQ$8ejn7M.mYZHT9RTzs9XsvFCIdlI"),
    (
        "pbkdf2",
        "$pbkdf2-sha256$1000$UmptrdU651zr/d.719qbkw$cP1u8DdOLtHD8LyDXJ0edYADdoFcKpN8RkFCH5OcPEM",
    ),
    ("pbkdf2", "$pbkdf2-sha1$1000$E86a9YMX3zC7$ouZLmMj1OBFm8DKMCWHgz1Coa1Y="),
    ("pbkdf2", "$pbkdf2-sha256$1000$E86a9YMX3zC7$j9Eu8XDd89ii9OXCA2PeX7G1Z44iH9flo6+p0Y+gLQk="),
    (
        "pbkdf2",
        "$pbkdf2-sha512$1000$E86a9YMX3zC7$z06V715u9ypTTgPmbaAScTB+t3v3FJZVpCPH/adK4BejuoylLntZGo8J"
        "caFUbOfPd515HXtVLfbhkYNnL3Lj+w==",
    ),
    (
        "pbkdf2",
        f"$pbkdf2-b64salt-sha256$1000${SALT_B64}$nRbxy1ufm591XZTzpvCLt1rA4aRyc784MNYa2gPo8zA=",
    ),
    ("digest", "{SHA}3lINM12tNtS/20u7eyziOGvMQhQ="),
    ("digest", "{MD5}F+Z7StYnq8a/JofHrURc3w=="),
    ("digest", "{SSHA}3HEgqp67osZ3PJ2m19GVCbYHaQiMMQZg"),
    ("digest", "{SMD5}5+1HN4oyxg9L0sNTkufW26v1fk8="),
    ("digest", "{SSHA256}RczYS58uG001xhYHkxDv5478+OEcB5anOFyEhptuiYMboxSCcC6llA=="),
    (
        "digest",
        "{SSHA512}Sf2iuHpjP3DMUX8k82jmrCCHTjDc697X04QB5dm0932no2etj1gmgIs4Ozpv/T8CIyYXcASmx/nZvlDT"
        "c6HICdNaK4UQotTa",
    ),
    ("hex digest", "{MD5}17e67b4ad627abc6bf2687c7ad445cdf"),
    ("hex digest", "{SHA256}67260A2768e12bdf6cb4f7c841460f105fd60cedce7fdf51308425814d3d3e4d"),
    (
        "hex digest",
        "{SHA512}a7e89e79d74084d0211523ef69d04b67828fa52b4f063b365e08676dc0bf2e118bbeac5c5247d29a8a"
        "a123a8b0b09007754919762affecc4a1868903be9c64ea",
    ),
]
"""Made with libpass, libxcrypt and hashlib."""
BY_SCHEME = dict(HASHES)

each_hash = pytest.mark.parametrize(("name", "hashed"), HASHES, ids=lambda value: value[:24])


@each_hash
def test_a_hash_matches_its_password_only(name, hashed):
    check_foreign_hash(hashed)
    assert foreign_scheme(hashed) == name
    assert verify_foreign(hashed, PASSWORD)
    for other in (b"", b"other", PASSWORD + b"\0", PASSWORD + b"x", PASSWORD[:-1]):
        assert not verify_foreign(hashed, other)


@each_hash
def test_a_decoy_costs_the_same_and_matches_nothing(name, hashed):
    decoy = foreign_decoy(hashed)
    check_foreign_hash(decoy)
    assert decoy != hashed
    assert foreign_cost(decoy) == foreign_cost(hashed)
    assert not verify_foreign(decoy, PASSWORD)


@each_hash
def test_one_character_less_or_more_is_another_hash_or_none(name, hashed):
    for damaged in (hashed[:-2], hashed + "A", hashed + "\n", f" {hashed}", hashed[1:]):
        assert not verify_foreign(damaged, PASSWORD)


def tool(*words):
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]}")
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("ann:")


@pytest.mark.parametrize(
    "command",
    [
        "openssl passwd -6",
        "openssl passwd -5",
        "openssl passwd -1",
        "openssl passwd -apr1",
        "htpasswd -nbB ann",
        "htpasswd -nbm ann",
        "htpasswd -nbs ann",
        "mkpasswd -m yescrypt",
        "mkpasswd -m scrypt",
        "mkpasswd -m sha512crypt -R 20000",
        "mkpasswd -m bcrypt",
    ],
)
def test_what_the_tools_write_is_verified(command):
    hashed = tool(*command.split(), PASSWORD.decode())
    check_foreign_hash(hashed)
    assert verify_foreign(hashed, PASSWORD)
    assert not verify_foreign(hashed, b"other")


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 64, 200])
@pytest.mark.parametrize("kind", ["-1", "-apr1"])
def test_md5_crypt_of_every_length(kind, length):
    password = "xy" * (length // 2) + "z" * (length % 2)
    given = ["-stdin"] if length == 0 else [password]
    made = subprocess.run(
        ["openssl", "passwd", kind, *given], input="\n", capture_output=True, text=True, check=True
    ).stdout.strip()
    assert verify_foreign(made, password.encode())


@pytest.mark.parametrize(
    ("hashed", "reason"),
    [
        ("$2b$14$" + "a" * 53, "bcrypt hash costs too much to check .cost 14.: at most 13"),
        ("$6$rounds=999999999$salt$" + "a" * 86, "sha512-crypt hash costs too much"),
        ("$5$rounds=700001$salt$" + "a" * 43, "sha256-crypt hash costs too much"),
        ("$y$jET$saltsalt$" + "a" * 43, "yescrypt hash costs too much to check .524288 KiB."),
        ("$y$jj.$saltsalt$" + "a" * 43, "yescrypt hash costs too much"),
        ("$y$j9z$saltsalt$" + "a" * 43, "unknown parameters"),
        ("$y$j9T/$saltsalt$" + "a" * 43, "not a hash of a known kind"),
        ("$7$F6....H....salt$" + "a" * 43, "scrypt-crypt hash costs too much"),
        ("$7$zzzzzzzzzzzsalt$" + "a" * 43, "scrypt-crypt hash costs too much"),
        ("$7$C..........salt$" + "a" * 43, "impossible"),
        ("$scrypt$ln=18,r=8,p=1$c2FsdA$" + "a" * 43, "scrypt hash costs too much"),
        ("$scrypt$ln=99,r=999999,p=999999$c2FsdA$" + "a" * 43, "scrypt hash costs too much"),
        ("$pbkdf2-sha256$1000001$salt$" + "a" * 43, "pbkdf2 hash costs too much"),
        ("$pbkdf2-sha1$400000$salt$" + "a" * 79 + "=", "pbkdf2 hash costs too much"),
        ("$pbkdf2-b64salt-sha256$1000$x$" + "a" * 43 + "=", "pbkdf2 hash is not base64"),
        ("$pbkdf2-sha256$1000$c2FsdA$" + "a" * 42, "pbkdf2 hash has the wrong length"),
        ("{SHA}3lINM12tNtS/20u7eyziOGvMQhQ", "digest hash is not base64"),
        ("$pbkdf2-md5$1000$salt$" + "a" * 22, "not a hash of a known kind"),
        ("{SHA}c2hvcnQ+c2hvcnQ+c2hvcnQ+", "digest hash has the wrong length"),
        ("{SSHA}3lINM12tNtS/20u7eyziOGvMQhQ=", "digest hash has the wrong length"),
        ("{SHA256}" + "a" * 32, "hex digest hash has the wrong length"),
        ("{CRYPT}abcdefghijkl.", "not a hash of a known kind"),
        ("abcdefghijkl.", "not a hash of a known kind"),
        ("$2x$04$" + "a" * 53, "not a hash of a known kind"),
        ("$", "not a hash of a known kind"),
        ("", "not a hash of a known kind"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason_and_matches_nothing(hashed, reason):
    with pytest.raises(ValueError, match=reason):
        check_foreign_hash(hashed)
    assert not verify_foreign(hashed, b"x")


def test_a_scheme_that_the_c_library_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(verification, "has_crypt_scheme", lambda name: False)
    with pytest.raises(
        ValueError, match=r"C library of this machine .libcrypt. does not have yesc"
    ):
        check_foreign_hash(BY_SCHEME["yescrypt"])
    check_foreign_hash(BY_SCHEME["apr1"])


def test_bcrypt_ignores_what_follows_72_bytes():
    hashed = tool("htpasswd", "-nbB", "ann", "x" * 72)
    assert verify_foreign(hashed, b"x" * 72)
    assert verify_foreign(hashed, b"x" * 73)
    assert verify_foreign(hashed, b"x" * 4000)
    assert not verify_foreign(hashed, b"x" * 71)
    assert is_whole_password_hashed(hashed, b"x" * 72)
    assert not is_whole_password_hashed(hashed, b"x" * 73)
    assert is_whole_password_hashed(BY_SCHEME["apr1"], b"x" * 73)


def test_long_passwords_do_not_multiply_the_cost():
    for name in ("sha512-crypt", "yescrypt", "apr1"):
        assert not verify_foreign(BY_SCHEME[name], b"x" * 4000)


def test_threads_do_not_disturb_one_another():
    names = ["sha512-crypt", "yescrypt", "bcrypt", "sha256-crypt"] * 25

    def check(name):
        return verify_foreign(BY_SCHEME[name], PASSWORD) and not verify_foreign(
            BY_SCHEME[name], b"x"
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, names))
