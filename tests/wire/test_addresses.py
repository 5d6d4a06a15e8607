import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.addresses import (
    BadAddress,
    HostPort,
    UnknownFamily,
    canonical_host,
    format_eprt,
    format_epsv,
    format_pasv,
    format_port,
    is_ipv6,
    is_loopback,
    parse_eprt,
    parse_epsv_reply,
    parse_pasv_reply,
    parse_port,
    same_host,
)

hosts = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
ports = st.integers(1, 65535)


@pytest.mark.parametrize("text", ["127,0,0,1,4,1", " 127,0,0,1,4,1 ", "127,000,00,001,004,001"])
def test_port_reads_six_numbers(text):
    assert parse_port(text) == HostPort("127.0.0.1", 1025)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3,4,5",
        "1,2,3,4,5,6,7",
        "1,2,3,4,5,6,",
        "256,0,0,1,4,1",
        "127,0,0,1,256,1",
        "127,0,0,1,0,0",
        "127,0,0,1,-4,1",
        "+127,0,0,1,4,1",
        "127, 0,0,1,4,1",
        "127,0,0,1,4,1\n",
        "127,0,0,1,4,0001",
        "127.0.0.1,4,1",
        "1_2,0,0,1,4,1",
        "\u0661,0,0,1,4,1",
        "a,b,c,d,e,f",
        "," * 5,
        "1" * 5000,
    ],
)
def test_port_refuses_everything_else(text):
    with pytest.raises(BadAddress):
        parse_port(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("|1|127.0.0.1|5000|", "127.0.0.1"),
        (" |1|127.0.0.1|5000| ", "127.0.0.1"),
        ("!1!127.0.0.1!5000!", "127.0.0.1"),
        ("~1~127.0.0.1~5000~", "127.0.0.1"),
        ("|2|::1|5000|", "::1"),
        ("|2|0:0:0:0:0:0:0:1|5000|", "::1"),
        ("|2|2001:0DB8::00a1|5000|", "2001:db8::a1"),
        ("|2|::ffff:10.0.0.1|5000|", "10.0.0.1"),
        ("|2|::ffff:a00:1|5000|", "10.0.0.1"),
    ],
)
def test_eprt_reads_both_families(text, host):
    assert parse_eprt(text) == HostPort(host, 5000)


@pytest.mark.parametrize("delimiter", [chr(code) for code in range(33, 127)])
def test_eprt_takes_every_delimiter_that_is_not_in_the_address(delimiter):
    text = delimiter.join(["", "1", "10.0.0.9", "5000", ""])
    if delimiter in "109.5":
        with pytest.raises(BadAddress):
            parse_eprt(text)
    else:
        assert parse_eprt(text) == HostPort("10.0.0.9", 5000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "|",
        "|||||",
        "|1|127.0.0.1|5000",
        "|1|127.0.0.1|5000|x",
        "|1|127.0.0.1|5000||",
        "1|127.0.0.1|5000|",
        "|1|::1|5000|",
        "|2|127.0.0.1|5000|",
        "|1|127.0.0.1|0|",
        "|1|127.0.0.1|65536|",
        "|1|127.0.0.1|99999999999|",
        "|1|127.0.0.1|-1|",
        "|1|127.0.0.1|+80|",
        "|1|127.0.0.01|80|",
        "|1|127.1|80|",
        "|1|localhost|80|",
        "|2|fe80::1%lo|80|",
        "|2|fe80::1%25|80|",
        "|2|1:2:3|80|",
        "|x|127.0.0.1|80|",
        "||127.0.0.1|80|",
        "|-1|127.0.0.1|80|",
        "\t1\t127.0.0.1\t80\t",
        "\x7f1\x7f127.0.0.1\x7f80\x7f",
        "é1é127.0.0.1é80é",
        "|" * 4000,
    ],
)
def test_eprt_refuses_everything_else(text):
    with pytest.raises(BadAddress) as caught:
        parse_eprt(text)
    assert not isinstance(caught.value, UnknownFamily)


@pytest.mark.parametrize(
    "text", ["|3|127.0.0.1|80|", "|0|::1|80|", "|99|a.b.c:d%e f|xx|", "|01|1.2.3.4|80|"]
)
def test_eprt_of_another_family_is_told_apart(text):
    with pytest.raises(UnknownFamily):
        parse_eprt(text)


@given(host=hosts, port=ports)
@settings(max_examples=100, deadline=None, database=None)
def test_what_eprt_writes_it_reads(host, port):
    assert parse_eprt(format_eprt(host, port)) == HostPort(canonical_host(host), port)


@given(host=st.ip_addresses(v=4).map(str), port=ports)
@settings(max_examples=100, deadline=None, database=None)
def test_what_port_and_pasv_write_they_read(host, port):
    assert parse_port(format_port(host, port)) == HostPort(host, port)
    reply = f"227 Entering Passive Mode ({format_pasv(host, port)})."
    assert parse_pasv_reply(reply) == HostPort(host, port)
    assert parse_epsv_reply(f"229 Extended ({format_epsv(port)})") == port


@given(text=st.text(alphabet="|12.:,0 a%\n", max_size=40))
@settings(max_examples=200, deadline=None, database=None)
def test_garbage_raises_nothing_but_bad_address(text):
    for parse in (parse_port, parse_eprt, parse_pasv_reply, parse_epsv_reply):
        try:
            parse(text)
        except BadAddress:
            continue


def test_formats_are_as_in_the_rfcs():
    assert format_pasv("10.0.0.1", 1025) == "10,0,0,1,4,1"
    assert format_pasv("::ffff:10.0.0.1", 1025) == "10,0,0,1,4,1"
    assert format_epsv(6446) == "|||6446|"
    assert format_eprt("::1", 80) == "|2|::1|80|"
    assert format_eprt("10.0.0.1", 80) == "|1|10.0.0.1|80|"


@pytest.mark.parametrize("host", ["::1", "localhost", "", "1.2.3"])
def test_pasv_is_for_ipv4_only(host):
    with pytest.raises(ValueError, match="IPv4"):
        format_pasv(host, 80)


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_no_format_gives_a_port_that_there_is_not(port):
    for write in (lambda: format_epsv(port), lambda: format_pasv("10.0.0.1", port)):
        with pytest.raises(ValueError, match="port"):
            write()


def test_eprt_of_a_name_cannot_be_written():
    with pytest.raises(ValueError, match="address"):
        format_eprt("localhost", 80)


@pytest.mark.parametrize(
    "text",
    [
        "227 Entering Passive Mode (10,0,0,1,4,1)",
        "227 Entering Passive Mode. 10,0,0,1,4,1",
        "227 =10,0,0,1,4,1",
        "227 Passive (10, 0, 0, 1, 4, 1).",
    ],
)
def test_reply_to_pasv_is_found_without_brackets_too(text):
    assert parse_pasv_reply(text) == HostPort("10.0.0.1", 1025)


@pytest.mark.parametrize(
    "text", ["", "227 (10,0,0,1,4)", "227 (10,0,0,1,4,256)", "227 (1000,0,0,1,4,1)", "1" + " " * 9]
)
def test_reply_to_pasv_without_address_is_refused(text):
    with pytest.raises(BadAddress):
        parse_pasv_reply(text)


@pytest.mark.parametrize("text", ["229 ok (|||5000|)", "229 ok |||5000|", "229 (!!!5000!)"])
def test_reply_to_epsv_is_found(text):
    assert parse_epsv_reply(text) == 5000


@pytest.mark.parametrize("text", ["229 ok", "229 (|||0|)", "229 (|||65536|)", "229 (||5000|)"])
def test_reply_to_epsv_without_port_is_refused(text):
    with pytest.raises(BadAddress):
        parse_epsv_reply(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1%eth0", "10.0.0.1%eth0"),
        ("ftp.example.org", "ftp.example.org"),
        ("", ""),
    ],
)
def test_plain_host_is_canonical(text, plain):
    assert canonical_host(text) == plain


def test_hosts_are_compared_as_addresses():
    assert same_host("::ffff:127.0.0.1", "127.0.0.1")
    assert same_host("::1", "0:0:0:0:0:0:0:1")
    assert same_host("fe80::1%2", "fe80::1%eth0")
    assert not same_host("127.0.0.1", "127.0.0.2")
    assert not same_host("::1", "127.0.0.1")


def test_loopback_is_told_in_every_spelling():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "localhost", ""):
        assert not is_loopback(host)


def test_ipv4_in_disguise_is_not_ipv6():
    assert is_ipv6("::1")
    assert is_ipv6("fe80::1%lo")
    assert not is_ipv6("::ffff:10.0.0.1")
    assert not is_ipv6("10.0.0.1")
    assert not is_ipv6("name")
