"""What is said of certificates and keys that are no good, and of those that are."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ftpservice.net.tls.certificate_file import CertificateError, load_certificate, renewal_lead
from ftpservice.net.tls.self_signed import self_signed_certificate
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def problem(chain, key=None) -> str:
    with pytest.raises(CertificateError) as caught:
        load_certificate(chain, key)
    text = str(caught.value)
    assert str(key or chain) in text
    assert "\n" not in text
    return text


def test_a_certificate_is_told_by_its_names_fingerprint_and_end(authority):
    path = authority.certificate("some", [x509.DNSName("a.example"), x509.DNSName("*.b.example")])
    seen = load_certificate(path, None)
    assert seen.names == ("a.example", "*.b.example", "127.0.0.1")
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    assert seen.not_after == leaf.not_valid_after_utc > datetime.now(UTC)
    assert seen.fingerprint.count(":") == 31
    assert seen.fingerprint == seen.fingerprint.upper()


def test_one_without_other_names_has_that_of_its_subject(authority):
    authority.certificate("x")
    name = x509.NameOID.COMMON_NAME
    leaf = x509.load_pem_x509_certificate(authority.path.read_bytes())
    assert [one.value for one in leaf.subject.get_attributes_for_oid(name)] == ["authority"]
    key = authority.path.parent / "key.pem"
    key.write_bytes(_private(authority._key))
    assert load_certificate(authority.path, key).names == ("authority",)


def test_the_key_may_stand_behind_the_certificate_and_in_a_file_of_its_own(authority, tmp_path):
    path = authority.certificate("some")
    head, _, tail = path.read_bytes().partition(b"-----BEGIN CERT")
    key, chain, turned = tmp_path / "k", tmp_path / "c", tmp_path / "t"
    key.write_bytes(head)
    chain.write_bytes(b"-----BEGIN CERT" + tail)
    turned.write_bytes(b"-----BEGIN CERT" + tail + head)
    assert (
        load_certificate(chain, key)
        == load_certificate(path, None)
        == load_certificate(turned, None)
    )


def test_a_key_of_another_certificate_is_told(authority):
    one, other = authority.certificate("one"), authority.certificate("other")
    assert problem(one, other) == f"the key in {other} is not that of {one}"


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x00\xff" * 99], ids=["none", "text", "binary"]
)
def test_a_file_without_a_certificate_is_told(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert problem(path) == f"{path} has no certificate in PEM"


def test_a_certificate_that_is_damaged_is_told(authority):
    path = authority.certificate("some")
    path.write_bytes(path.read_bytes().replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\nAAAA", 1))
    assert problem(path) == f"{path} has no certificate in PEM"


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert (
        problem(tmp_path / "no") == f"{tmp_path / 'no'} cannot be read: No such file or directory"
    )


def test_a_directory_is_told(tmp_path):
    assert problem(tmp_path) == f"{tmp_path} cannot be read: it is not a regular file"


def test_a_file_without_a_key_is_told(authority):
    assert problem(authority.path) == f"{authority.path} has no private key in PEM"


def test_an_encrypted_key_is_told(authority, tmp_path):
    path = authority.certificate("some")
    key = load_pem_private_key(path.read_bytes(), None)
    sealed = tmp_path / "sealed"
    sealed.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    assert problem(path, sealed) == f"the key in {sealed} is encrypted; it must not be encrypted"


def test_a_damaged_key_is_told(authority, tmp_path):
    path = authority.certificate("some")
    damaged = tmp_path / "damaged"
    begin, end = b"-----BEGIN PRIVATE KEY-----\n", b"-----END PRIVATE KEY-----\n"
    damaged.write_bytes(begin + b"AAAA\n" + end)
    assert problem(path, damaged) == f"the key in {damaged} is damaged or of no known kind"


def test_one_that_has_expired_is_told(authority):
    path = authority.certificate("old", lifetime=timedelta(days=-1))
    day = datetime.now(UTC) - timedelta(days=1)
    assert problem(path).startswith(f"{path} expired on {day:%Y-%m-%d}")


def test_one_that_is_not_valid_yet_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("ftpservice.net.tls.self_signed.BACKDATED_BY", timedelta(days=-3))
    path = self_signed_certificate(tmp_path)
    assert f"{path} is not valid before 20" in problem(path)


def test_one_whose_names_cannot_be_read_is_told(authority):
    other = x509.UnrecognizedExtension(x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x7f")
    key = authority.certificate("some")
    private = load_pem_private_key(key.read_bytes(), None)
    builder = authority._builder(x509.Name([]), private.public_key(), timedelta(days=9))
    path = authority.path.parent / "odd.pem"
    path.write_bytes(authority._signed(builder.add_extension(other, critical=False)))
    assert problem(path).startswith(f"{path} has a certificate of no use")


@pytest.mark.parametrize(
    ("lifetime", "lead"), [(6, 2), (45, 15), (90, 30), (365, 30), (0.001, 0.001 / 3)]
)
def test_the_time_for_a_renewal_depends_on_the_lifetime(lifetime, lead):
    days = 86_400.0
    assert renewal_lead(0.0, lifetime * days) == pytest.approx(lead * days)


def test_addresses_are_names_too(tmp_path):
    names = load_certificate(self_signed_certificate(tmp_path), None).names
    assert {"localhost", "127.0.0.1", str(ip_address("::1"))} <= set(names)


def _private(key) -> bytes:
    from cryptography.hazmat.primitives.serialization import NoEncryption

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
