"""What the documentation says is so: commands, settings, names, links, modules, made pages."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import runpy
import shlex
from pathlib import Path

import pytest
from twisted.scripts.twistd import ServerOptions

from ftpservice.accounts.external.http_accounts import REFUSED_WORDS
from ftpservice.accounts.external.http_settings import HTTP_KEYS
from ftpservice.accounts.external.ldap_settings import LDAP_KEYS
from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.passwd_line import OPTIONS
from ftpservice.activity.hooks.hook_settings import KEYS
from ftpservice.admin.config_commands import config
from ftpservice.admin.doctor_command import doctor
from ftpservice.admin.program_commands import PROGRAM_COMMANDS
from ftpservice.admin.replay_command import replay
from ftpservice.admin.service_commands import SERVICE_COMMANDS
from ftpservice.admin.user_commands import user
from ftpservice.backends.mounts.account_mount import READ_ONLY_WORD, TRASH_WORD
from ftpservice.commands.extensions import site_verbs
from ftpservice.commands.table import UNIMPLEMENTED_VERBS, VERB_TABLE
from ftpservice.service.settings.acme import AcmeChallenge
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import SETTINGS
from ftpservice.service.settings.toml_file import parse_toml
from ftpservice.simple.commands import SIMPLE_VERBS as SIMPLE_TABLE
from ftpservice.storage.rights import PRESETS
from ftpservice.web.files.file_problems import REASONS
from ftpservice.wire.simple import ErrorCode
from tests.support.docs_pages import (
    DOCS,
    EXAMPLES,
    PAGES,
    SERVICE_PAGES,
    STORE_FILES,
    Block,
    blocks,
    commands,
    inline,
    prose,
    read,
    run_user_command,
    with_demo_values,
    write_examples,
)
from tests.support.service_process import CHECKOUT

LINK = re.compile(r"\]\(([^)\s]+)\)")
SIMPLE = {*SIMPLE_TABLE, *ErrorCode.__members__, "ERR"}
"""Words of the simple protocol."""
ACRONYMS = frozenset(
    (
        *(
            "AAAA",
            "ACL",
            "AWS",
            "CSV",
            "ACME",
            "CSRF",
            "HEAD",
            "PDF",
            "ZIP",
            "CSV",
            "DES",
            "OTLP",
            "SSHA",
            "SMB",
            "TOTP",
            "ALL",
            "ALPN",
            "CCC",
            "CRLF",
            "DNS",
            "HMAC",
            "FIFO",
            "FILE",
            "FTP",
            "FTPS",
            "FUSE",
            "HTTP",
            "HTTPS",
            "CSP",
            "REST",
            "API",
            "INET",
            "LDAP",
            "MIT",
            "PAM",
            "NAT",
            "URL",
            "NFS",
        ),
        *("NUL", "PATH", "PEM", "RFC", "SHA", "SNI", "SQL", "SSH", "SSL", "TCP", "TLS", "TOML"),
        *("JSON", "UNIX", "UTC", "UTF", "VPN"),
        *("HOME", "HOST", "NAME", "POST", "ROOT"),  # placeholders, variables, methods of HTTP
    )
)
CHALLENGES = {challenge.value for challenge in AcmeChallenge}
WEBHOOK_HEADERS = {"webhook-id", "webhook-timestamp", "webhook-signature", "webhook-attempt"}
OTHERS = {
    "argon2-cffi",
    *("ca-file", "partial-age"),  # of storage strings
    "ftpservice-client",
    READ_ONLY_WORD,
    TRASH_WORD,
    *CHALLENGES,
    *WEBHOOK_HEADERS,
}
FOLDERS = (CHECKOUT, CHECKOUT / "ftpservice", CHECKOUT / "client" / "ftpservice_client", EXAMPLES)
"""Paths on the pages are relative to one of these."""


def our_arguments(command: str) -> list[str] | None:
    """What stands behind ``ftpservice serve`` or ``twistd ... ftpservice``; else ``None``."""
    match = re.search(r"ftpservice serve(?= |$)|twistd\b.* ftpservice(?= |$)", command)
    words = shlex.split(command[match.end() :], comments=True) if match else []
    return words[: words.index(">")] if ">" in words else words if match else None


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_examples(tmp_path)
    return tmp_path


def named(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(read(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        headings = re.findall(r"^#+ (.*)$", read(target), re.MULTILINE) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings}
        assert not anchor or anchor in anchors, link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_knows_the_machine_it_was_written_on(page: Path) -> None:
    text = read(page)
    assert str(CHECKOUT) not in text
    assert re.findall(r"/(?:root|work|tmp)\b|/home/(?!ann/)\S*", text) == []
    assert re.findall(r"pypi|pythonhosted|npmjs", text) == []


def test_commands_of_ours_are_understood(bench: Path) -> None:
    parsed = 0
    for command in commands():
        words = our_arguments(command)
        if words is None or "--help" in words or "[options]" in words or "sqlite:" in command:
            continue
        moved = [word.replace("/etc/", f"{bench}/etc/") for word in words]
        ServiceOptions().parseOptions(moved)
        parsed += 1
    assert parsed >= 5


def test_user_commands_work(tmp_path: Path) -> None:
    page = read(DOCS / "administrators.md")
    shown = re.findall(r"^ftpservice (?:user|group) .*$", page, re.MULTILINE)
    assert len(shown) >= 10
    for command in shown:
        if not command.startswith("ftpservice user import "):  # tests/admin/test_import_command.py
            run_user_command(command, tmp_path)


def test_options_that_are_named_exist() -> None:
    known = set(ServiceOptions().longOpt) | set(ServerOptions().longOpt) | {"help-auth"}
    known = {name.rstrip("=") for name in known} | {"name"}  # stands for any
    known |= {
        word.removeprefix("--")
        for command in (
            *(doctor, replay, *SERVICE_COMMANDS, *PROGRAM_COMMANDS),
            *(*config.commands.values(), *user.commands.values()),
        )
        for parameter in command.params
        for word in parameter.opts
    }
    named = {word for code in inline() for word in re.findall(r"(?<!\S)--([a-z][a-z-]*)", code)}
    assert named - known == set()
    assert "listen" in named


def test_names_of_settings_and_rights_exist() -> None:
    known = {*SETTINGS, *PRESETS, *OPTIONS, *OTHERS, *LDAP_KEYS, *HTTP_KEYS, *REFUSED_WORDS, *KEYS}
    known |= {*REASONS.values(), "too-much"}
    hyphened = {code.partition("=")[0].strip() for code in inline()}
    hyphened = {name for name in hyphened if re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", name)}
    assert hyphened - known == set()


@pytest.mark.parametrize("page", SERVICE_PAGES, ids=named)
def test_verbs_that_are_named_exist(page: Path) -> None:
    known = {row.name for row in VERB_TABLE} | {
        word for row in site_verbs for word in row.name.split()
    }
    known |= UNIMPLEMENTED_VERBS | ACRONYMS | SIMPLE
    capitals = set(re.findall(r"\b[A-Z]{3,4}\b", re.sub("<[^>]*>", "", prose(page))))
    assert capitals - known == set()


def test_what_is_made_by_make_is_in_the_makefile() -> None:
    known = set(re.findall(r"^([a-z]+):", read(CHECKOUT / "Makefile"), re.MULTILINE))
    said = {code for code in (*inline(), *commands()) if code.startswith("make ")}
    assert {code.split()[1] for code in said} <= known
    assert {"make serve", "make test"} <= said


def test_settings_files_are_good() -> None:
    shown = [block for block in blocks("toml") if block.name not in STORE_FILES]
    assert len(shown) >= 5
    for block in shown:
        assert parse_toml(block.text), block


def test_accounts_are_good() -> None:
    shown = blocks("passwd")
    assert len(shown) >= 4
    for block in shown:
        contents = parse(with_demo_values(block.text))
        assert contents.accounts
        assert contents.malformed == (), block


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.text[:20])
def test_python_compiles_and_imports_what_there_is(block: Block) -> None:
    compile(block.text, "page", "exec")
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and not str(node.module).startswith("sqlite_storage"):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                assert hasattr(module, alias.name) or importlib.import_module(whole)


@pytest.mark.parametrize("name", ["embed.tac", "test_sqlite_storage.py"])
def test_examples_are_shown_as_they_are(name: str) -> None:
    assert read(EXAMPLES / name) in [block.text for block in blocks("python")]


def test_files_that_are_named_exist() -> None:
    made = {"var/", "var/files", "scanner/files/scans"}
    for code in inline() - made:
        if re.fullmatch(r"\w[\w/]*/(?:\w+\.(?:py|tac))?", code):
            assert any((folder / code).exists() for folder in FOLDERS), code


def test_the_architecture_page_names_every_room() -> None:
    page = read(DOCS / "architecture.md")
    for package in ("ftpservice", "client/ftpservice_client"):
        for folder in sorted((CHECKOUT / package).iterdir()):
            if (folder / "__init__.py").exists():
                assert f"{folder.name}/" in page, folder.name


def test_modules_that_are_named_exist() -> None:
    for code in inline():
        if match := re.fullmatch(r"(ftpservice(?:_client)?(?:\.\w+)+)(?:\(.*\))?", code):
            pkgutil.resolve_name(match[1])  # raises where there is no such module or name in it


def test_the_protocol_page_is_current() -> None:
    page = runpy.run_path(str(DOCS / "make_protocol.py"))
    text = read(page["PAGE"])
    assert page["made"](text) == text, "run docs/make_protocol.py"
    with pytest.raises(ValueError, match="verbs"):
        page["made"](text.replace("<!-- made: verbs -->", ""))
