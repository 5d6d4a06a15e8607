"""AUTH, PBSZ, PROT, CCC and their kin; logins in clear and by certificate."""

from __future__ import annotations

import pytest

from ftpservice.events import LoggedIn, LoginFailed
from ftpservice.session.tls_policy import ControlTLS, DataTLS, TLSPolicy
from tests.support.ftp_dialogue import FTPDialogue
from tests.support.tls_dialogue import TLSDialogue, tls_dialogue

__all__ = ["tls_dialogue"]

ELSEWHERE = "192.0.2.7"
Secure = type[TLSDialogue]


def policy(control: str = "offered", data: str = "offered", **more: bool) -> TLSPolicy:
    return TLSPolicy(ControlTLS(control), DataTLS(data), **more)


def listed(talk: FTPDialogue) -> set[str]:
    shown = ("AUTH TLS", "PBSZ", "PROT", "CCC")
    return {line.strip() for line in talk.say("FEAT") if line.strip() in shown}


@pytest.mark.parametrize("word", ["TLS", "tls", "TLS-C", "SSL", "TLS-P"])
def test_every_name_of_tls_is_answered_234(secure: Secure, word: str) -> None:
    talk = secure()
    talk.replies()
    assert talk.codes(f"AUTH {word}") == [234]
    assert talk.context.tls_state.control


@pytest.mark.parametrize("word", ["FOO", "KERBEROS_V4", "TLS-X", "TLS SSL"])
def test_other_mechanisms_are_refused(secure: Secure, word: str) -> None:
    talk = secure()
    assert talk.codes(f"AUTH {word}")[-1] == 504
    assert not talk.context.tls_state.control


def test_auth_needs_an_argument(secure: Secure) -> None:
    assert secure().codes("AUTH")[-1] == 501


def test_auth_under_tls_is_out_of_sequence(secure: Secure) -> None:
    assert secure().auth().codes("AUTH TLS", "AUTH FOO") == [503, 504]


def test_auth_is_refused_where_tls_is_off(secure: Secure) -> None:
    assert secure(policy("off", "off")).codes("AUTH TLS")[-1] == 534


def test_auth_is_refused_where_there_are_no_certificates() -> None:
    talk = FTPDialogue()
    assert talk.codes("AUTH TLS")[-1] == 534
    assert listed(talk) == set()


def test_mechanisms_that_imply_prot_p_are_refused_without_data_tls(secure: Secure) -> None:
    talk = secure(policy(data="off"))
    assert talk.codes("AUTH TLS-P")[-1] == 534
    assert talk.codes("AUTH TLS") == [234]
    talk.handshake()
    assert talk.codes("PBSZ 0", "PROT P", "PROT C") == [200, 534, 200]


def test_features_of_tls_are_listed_where_they_are_offered(secure: Secure) -> None:
    assert listed(secure()) == {"AUTH TLS", "PBSZ", "PROT"}
    assert listed(secure().auth()) == {"AUTH TLS", "PBSZ", "PROT"}
    assert listed(secure(policy(clear_commands=True))) == {"AUTH TLS", "PBSZ", "PROT", "CCC"}
    assert listed(secure(policy("required", clear_commands=True))) == {"AUTH TLS", "PBSZ", "PROT"}
    assert listed(secure(policy("off", "off"))) == set()


def test_auth_ends_a_plaintext_login(secure: Secure) -> None:
    talk = secure()
    talk.login()
    assert talk.codes("AUTH TLS") == [234]
    talk.handshake()
    assert talk.realm.logouts == ["ann"]
    assert talk.codes("PWD", "PASS secret", "USER ann", "PASS secret") == [530, 503, 331, 230]


def test_auth_forgets_a_plaintext_user(secure: Secure) -> None:
    talk = secure()
    talk.replies()
    assert talk.codes("USER ann", "AUTH TLS") == [331, 234]
    talk.handshake()
    assert talk.codes("PASS secret") == [503]


def test_a_refused_auth_changes_nothing(secure: Secure) -> None:
    talk = secure()
    talk.replies()
    assert talk.codes("USER ann", "AUTH FOO", "PASS secret") == [331, 504, 230]
    assert talk.codes("MKD a", "RNFR a", "AUTH FOO", "RNTO b") == [257, 350, 504, 503]


@pytest.mark.parametrize("glued", ["USER ann", "QUIT", "NOOP", "AUTH TLS", "garbage"])
def test_commands_sent_together_with_auth_are_dropped(secure: Secure, glued: str) -> None:
    talk = secure()
    talk.replies()
    assert talk.codes("AUTH TLS", glued, "NOOP") == [234]
    assert talk.transport.value() == b""
    talk.handshake()
    assert talk.codes("NOOP") == [200]


def test_half_a_line_before_the_handshake_is_dropped(secure: Secure) -> None:
    talk = secure()
    talk.protocol.dataReceived(b"AUTH TLS\r\nUSER a\xff")
    assert talk.replies()[-1].startswith("234")
    talk.handshake()
    assert talk.codes("nn", "NOOP") == [500, 200]


def test_pbsz_and_prot_are_for_sessions_under_tls(secure: Secure) -> None:
    assert secure().codes("PBSZ 0", "PROT P", "PROT C")[-3:] == [503, 503, 503]


def test_prot_needs_pbsz(secure: Secure) -> None:
    talk = secure().auth()
    assert talk.codes("PROT P", "PBSZ 0", "PROT P", "PROT C") == [503, 200, 200, 200]


@pytest.mark.parametrize("word", ["0", "16384", "4294967295"])
def test_pbsz_is_always_0(secure: Secure, word: str) -> None:
    assert secure().auth().say(f"PBSZ {word}") == ["200 PBSZ=0"]


@pytest.mark.parametrize("word", ["", " abc", " -1", " 4294967296", " 1 2", " ²"])
def test_the_argument_of_pbsz_is_a_number(secure: Secure, word: str) -> None:
    assert secure().auth().codes(f"PBSZ{word}") == [501]


@pytest.mark.parametrize(
    ("word", "code"),
    [(" P", 200), (" c", 200), (" E", 536), (" s", 536), (" X", 504), (" PP", 504), ("", 501)],
)
def test_the_levels_of_prot(secure: Secure, word: str, code: int) -> None:
    talk = secure().auth()
    assert talk.codes("PBSZ 0", f"PROT{word}") == [200, code]
    assert talk.context.tls_state.data == (word == " P")


@pytest.mark.parametrize("word", ["SSL", "TLS-P"])
def test_some_mechanisms_imply_prot_p(secure: Secure, word: str) -> None:
    talk = secure().auth(word)
    assert talk.context.tls_state.data
    assert talk.codes("PROT C") == [200]


def test_prot_p_can_be_required(secure: Secure) -> None:
    talk = secure(policy(data="required")).auth()
    assert talk.codes("USER ann", "PASS secret") == [331, 230]
    verbs = ["RETR a", "STOR a", "APPE a", "STOU", "LIST", "NLST", "MLSD"]
    assert talk.codes(*verbs) == [521] * len(verbs)
    assert talk.codes("PBSZ 0", "PROT C", "PROT P", "PROT C") == [200, 534, 200, 534]
    assert talk.codes("RETR a") == [550]


def test_a_refused_plaintext_transfer_resets_what_was_prepared(secure: Secure) -> None:
    talk = secure(policy(data="required"))
    talk.login()
    assert talk.codes("REST 5", "RETR a") == [350, 521]
    assert talk.context.next_transfer.start == 0


def test_an_account_can_require_tls(secure: Secure) -> None:
    talk = secure(policy(clear_commands=True))
    talk.realm.tls_required = True
    talk.auth().login()
    assert talk.codes("LIST", "PBSZ 0", "PROT C", "CCC") == [521, 200, 534, 534]
    assert talk.codes("PROT P", "RETR none") == [200, 550]


def test_ccc_is_refused_unless_allowed(secure: Secure) -> None:
    assert secure().auth().codes("CCC") == [530]
    talk = secure()
    assert talk.login().codes("CCC") == [533]
    assert secure().auth().login().codes("CCC") == [534]
    assert secure(policy("required", clear_commands=True)).auth().login().codes("CCC") == [534]


def test_ccc_ends_tls_for_commands_and_not_for_data(secure: Secure) -> None:
    talk = secure(policy(clear_commands=True))
    talk.auth().login()
    assert talk.codes("PBSZ 0", "PROT P", "CCC", "NOOP") == [200, 200, 200]
    assert not talk.context.tls_state.control
    assert TLSDialogue.leaving is not None
    talk.protocol.dataReceived(b"NOOP\r\n")
    assert talk.replies() == []
    TLSDialogue.leaving.callback(talk.transport.former)
    assert talk.codes("NOOP", "PWD", "PROT C", "PBSZ 0") == [200, 257, 503, 503]
    assert talk.context.tls_state.data
    assert talk.codes("AUTH TLS") == [234]


def test_after_ccc_the_client_certificate_is_ignored(secure: Secure) -> None:
    session = secure(TLSPolicy(clear_commands=True))
    session.accept_certificates("ann")
    session.auth("TLS", "ann")
    assert session.codes("USER ann") == [232]
    assert session.codes("CCC") == [200]
    assert not session.context.tls_state.names


def test_rein_keeps_tls_and_resets_the_rest(secure: Secure) -> None:
    talk = secure().auth().login()
    assert talk.codes("PBSZ 0", "PROT P", "REIN") == [200, 200, 220]
    assert talk.context.tls_state.control
    assert not talk.context.tls_state.data
    assert talk.codes("PROT P", "USER ann", "PASS secret") == [503, 331, 230]


def test_user_leaves_prot_as_it_is(secure: Secure) -> None:
    talk = secure().auth()
    assert talk.codes("PBSZ 0", "PROT P", "USER ann", "PASS secret") == [200, 200, 331, 230]
    assert talk.context.tls_state.data


def test_commands_of_other_mechanisms_are_refused(secure: Secure) -> None:
    talk = secure()
    talk.replies()
    assert talk.codes("ADAT x", "MIC x", "CONF x", "ENC x") == [503] * 4
    talk.auth()
    assert talk.codes("ADAT x", "MIC x", "CONF x", "ENC x") == [503, 537, 537, 537]
    assert talk.codes("ADAT", "MIC", "CONF", "ENC") == [501] * 4


def test_implicit_tls_implies_prot_p(secure: Secure) -> None:
    talk = secure(implicit=True)
    assert talk.replies()[-1].startswith("220")
    talk.handshake()
    assert talk.context.tls_state.control
    assert talk.context.tls_state.data
    assert talk.codes("AUTH TLS", "USER ann", "PASS secret", "PROT C") == [503, 331, 230, 200]
    assert talk.codes("REIN") == [220]
    assert talk.context.tls_state.data


@pytest.mark.parametrize("name", ["ann", "nobody", "anonymous2"])
def test_plaintext_logins_from_other_hosts_are_refused(secure: Secure, name: str) -> None:
    talk = secure(host=ELSEWHERE)
    talk.replies()
    assert talk.codes(f"USER {name}") == []
    talk.reactor.advance(0.5)
    assert talk.replies() == ["530 TLS is required; send AUTH TLS first, or use implicit TLS."]
    assert talk.codes("PASS secret") == [503]
    assert talk.checker.asked == []
    assert [event.reason for event in talk.of(LoginFailed)] == ["no TLS"]
    talk.auth()
    assert talk.codes(f"USER {name}") == [331]


def test_repeated_plaintext_logins_end_the_session(secure: Secure) -> None:
    talk = secure(host=ELSEWHERE)
    talk.replies()
    for _ in range(4):
        talk.say("USER ann")
        talk.reactor.advance(5)
    talk.replies()
    talk.say("USER ann")
    talk.reactor.advance(5)
    assert talk.replies()[-1].startswith("421")
    assert talk.transport.over


def test_anonymous_logins_may_be_plaintext(secure: Secure) -> None:
    talk = secure(host=ELSEWHERE)
    talk.replies()
    assert talk.codes("USER anonymous", "PASS x@") == [331, 230]


def test_plaintext_logins_can_be_allowed(secure: Secure) -> None:
    assert secure(policy(plaintext=True), host=ELSEWHERE).login()


@pytest.mark.parametrize(
    ("control", "name", "code"),
    [
        ("required-login", "ann", 530),
        ("required-login", "anonymous", 331),
        ("required", "ann", 530),
        ("required", "anonymous", 530),
        ("offered", "ann", 331),
        ("off", "ann", 331),
    ],
)
def test_tls_can_be_required_of_logins(secure: Secure, control: str, name: str, code: int) -> None:
    talk = secure(policy(control, plaintext=True))
    talk.replies()
    lines = talk.say(f"USER {name}")
    talk.reactor.advance(1)
    assert [line[:3] for line in [*lines, *talk.replies()]] == [str(code)]


def test_a_refused_user_keeps_the_previous_login(secure: Secure) -> None:
    talk = secure(policy("required-login"))
    talk.replies()
    assert talk.codes("USER anonymous", "PASS x") == [331, 230]
    talk.say("USER ann")
    talk.reactor.advance(1)
    assert talk.replies()[0].startswith("530")
    assert talk.codes("PWD") == [257]


def test_the_login_event_names_the_tls_version(secure: Secure) -> None:
    talk = secure()
    talk.login()
    talk.auth().login()
    assert [event.tls for event in talk.of(LoggedIn)] == ["", "TLSv1.3 X"]


def test_checkers_get_tls_and_certificate(secure: Secure) -> None:
    talk = secure()
    talk.login()
    talk.auth("TLS", "ann", "ann@example.org").login()
    first, second = talk.checker.asked
    assert (first.secured, first.certificate_names) == (False, frozenset())
    assert (second.secured, second.certificate_names) == (True, {"ann", "ann@example.org"})


def test_a_certificate_can_be_enough(secure: Secure) -> None:
    talk = secure()
    talk.accept_certificates("ann")
    talk.auth("TLS", "ann", "bob")
    assert talk.codes("USER ann", "PWD", "PASS x") == [232, 257, 503]
    assert [event.user for event in talk.of(LoggedIn)] == ["ann"]
    assert talk.codes("USER bob", "PASS hidden") == [331, 230]
    assert talk.codes("USER ann", "PWD") == [232, 257]


def test_a_certificate_is_valid_for_its_own_names_only(secure: Secure) -> None:
    talk = secure()
    talk.accept_certificates("ann")
    talk.auth("TLS", "bob")
    assert talk.codes("USER ann") == [331]


def test_limits_apply_to_logins_by_certificate(secure: Secure) -> None:
    talk = secure()
    talk.accept_certificates("ann")
    talk.realm.max_sessions = 1
    assert talk.factory.services().session_limits.take("user", "ann", 1)
    talk.auth("TLS", "ann")
    assert talk.codes("USER ann") == [421]
    assert talk.realm.logouts == ["ann"]
