"""The doors: the modules whose names others may import, and those names."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT, checkout_environment

DOORS = {
    "ftpservice.api": """
        Account AccountRecord ActivityReport AddressRule assemble BadStorageString
        build_source CannotStart CertificateError CertificateUse ControlTLS DataSettings
        DataTLS EventSink EventStream FTPFactory hash_password IAccount IAccountRecords
        ICertificateCredentials ImplicitTLSFactory IPeerCredentials IStartable
        LoginBusy LoginRefused LoginUnavailable parse_address_rule PasswordFile PasswordFileChecker
        PeerCredentials portal_checkers PRESETS ProxiedFactory QuotaBook Realm RestrictedStorage
        Right ServerTLS ServiceOptions SessionSettings SimpleFactory TLSFiles TLSPolicy
        UnusableChecker
        AccountExists AccountStoreError Ban BanList BanRules IAccountStore InvalidAccount
        NoSuchAccount PasswordFileStore StoreUnavailable
        IEventSubscriber IHookPlugin
    """,
    "ftpservice.events": """
        AccountChanged AdminAction Banned BanLifted NO_SESSION SessionInfo UploadRefused
        CertificateExpires CertificateFailed CertificateIssued
        CommandFailed CommandRefused Event EventStream FileChanged FileExpired
        HandshakeFailed LoggedIn LoginFailed LoginRefusal Outcome Refused SessionClosed
        SessionOpened SessionStalled TransferEnded TransferStarted event_value
    """,
    "ftpservice.storage": """
        GateAnswer GateRequest IDeleteGate IHeldFile IHeldUpload ILoginGate IUploadGate
        RefusedByGate
        BadOffset BadPath BeingUploaded BlockingPool BlockingRunner Busy Denied Entry Exists
        FilesystemUnsupported FreedSpace HasTrash HasUploads IKeepsTrash ITrash
        TrashFull TrashRule TrashedFile IAccess IBatchCommit IConditionalRemoval
        IDescriptor IEnter IFreeSpace
        IHashes IInterruptedUploads InterruptedUpload
        ILinks IListing INamedSource in_pool IntoItself InvalidName IPartials
        IPathNamedSource IPiecewiseReading NotInTrash
        IReading IReplacing
        IRetractableWriting IsDirectory ISendfileSource ISetMode ISetTimes IsLink ISpliceTarget
        IStorage IStorageSource IStorageSourceFactory ITreeUsage IUnnamedSource IWithoutLinks
        IWriting Kind
        MaskedMode MountPoint NameRefused NoSpace NotDirectory NotEmpty NotSupported OtherFilesystem
        OutOfResources OverflowPool
        parse_duration parse_options parse_size parse_switch PartialUpload PathNotFound
        PoolOverloaded PoolStopped PRESETS QuotaExceeded RestrictedStorage Right ROOT
        run_unattended split_fields StorageError TreeUsage Unavailable VirtualPath WriteMode
        WriteRequest
    """,
    "ftpservice.testing": """
        InlineRunner LoopbackService MemoryStorage MemoryTree StorageContract
    """,
    "ftpservice_client": """
        AccessDenied AlreadyExists AuthenticationFailed BadURL CannotConnect
        CertificateNotTrusted Client ClientError connect connect_endpoint connect_pool
        connect_without_login Destination Digest Entry ExplicitTLS InvalidArgument Kind
        Listing LocalFileError MirrorIncomplete MirrorProgress MirrorResult MirrorStep
        NetworkError NotFound parse_url PendingLogin ProgressCallback ProtocolViolation
        Readable Reply Scheme ServerBusy ServerRefused Settings StorageFull Timeout
        TransferResult Trust UnparsableListing UnsafePath Unsupported VerificationFailed
        Writable
    """,
    "ftpservice_client.blocking": """
        BlockingClient BlockingPendingLogin connect connect_endpoint connect_pool
        connect_without_login
    """,
    "ftpservice_client.testing": """
        Fault MemoryNetwork MemoryService
    """,
}
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
HEAVY = {"cryptography", "argon2", "OpenSSL", "rich", "prompt_toolkit"}
"""What the plugin file and ``twistd --help`` must not load."""


def public_sources() -> list[tuple[str, str]]:
    """Return what a user reads as an example: its name and its Python text."""
    sources = []
    for path in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]:
        for number, block in enumerate(PYTHON_BLOCK.findall(path.read_text(encoding="utf-8"))):
            sources.append((f"{path.name}-{number}", block))
    examples = CHECKOUT / "docs" / "examples"
    for path in sorted([*examples.rglob("*.py"), *examples.rglob("*.tac")]):
        sources.append((str(path.relative_to(examples)), path.read_text(encoding="utf-8")))
    return sources


SOURCES = public_sources()


@pytest.mark.parametrize("door", DOORS)
def test_a_door_offers_the_names_of_this_list(door: str) -> None:
    assert sorted(import_module(door).__all__) == sorted(DOORS[door].split())


@pytest.mark.parametrize("door", DOORS)
def test_every_class_and_function_of_a_door_is_documented(door: str) -> None:
    module = import_module(door)
    undocumented = [
        name
        for name in module.__all__
        if (inspect.isclass(found := getattr(module, name)) or inspect.isfunction(found))
        and not found.__doc__
    ]
    assert undocumented == []
    assert module.__doc__


PUBLIC = {name for names in DOORS.values() for name in names.split()} | set(dir(builtins))
ELSEWHERE = {"Deferred", "IFTPShell", "IUsernamePassword", "Path", "Portal", "UnauthorizedLogin"}
INNER = {"RecordedName", "TLSContexts"}
"""Not to be used by an embedding program, but explained where they appear."""


@pytest.mark.parametrize("door", DOORS)
def test_docstrings_of_a_door_refer_to_public_names(door: str) -> None:
    module = import_module(door)
    unknown = set()
    for name in module.__all__:
        found = getattr(module, name)
        try:
            source = inspect.getsource(found) if inspect.isclass(found) else ""
        except OSError:  # made by a call
            source = ""
        text = "".join(re.findall(r'"""(.*?)"""', source, re.DOTALL)) or inspect.getdoc(found) or ""
        words = set(re.findall(r"`([A-Z]\w+)`", text))
        unknown |= words - PUBLIC - ELSEWHERE - INNER
    assert unknown == set()


@pytest.mark.parametrize("text", [text for _, text in SOURCES], ids=[name for name, _ in SOURCES])
def test_docs_and_examples_import_from_doors_only(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ftpservice"):
            assert node.module in DOORS, node.module
            names = {alias.name for alias in node.names}
            assert names <= set(import_module(node.module).__all__)
        elif isinstance(node, ast.Import):
            outside = [alias.name for alias in node.names if alias.name.startswith("ftpservice")]
            assert set(outside) <= set(DOORS)


GUIDES = ("developers.md", "storage-authors.md", "client.md")
CALLED = re.compile(r"\.(\w+)\(|[(,] ?(\w+)=")
"""The name of a method that is called, or of a keyword argument."""


@pytest.mark.parametrize("guide", GUIDES)
def test_calls_and_arguments_that_a_guide_names_exist(guide: str) -> None:
    """In its prose; the blocks are checked by what runs them."""
    text = (CHECKOUT / "docs" / guide).read_text(encoding="utf-8")
    sources = [text for name, text in SOURCES]
    for door in DOORS:
        module = import_module(door)
        for name in module.__all__:
            home = inspect.getmodule(getattr(module, name))
            sources.append(inspect.getsource(home) if home is not None else "")
    known = set(re.findall(r"\w+", "".join(sources))) | {"get_context"}
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    codes = re.findall(r"`([^`\n]+)`", prose)
    named = {name for code in codes for pair in CALLED.findall(code) for name in pair if name}
    assert named
    assert named - known == set()


def loaded_by(program: str) -> set[str]:
    """Return the top-level modules that a program has loaded at its end."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        timeout=60,
        env=checkout_environment(),
        check=True,
    )
    return {name.split(".")[0] for name in ended.stderr.split()}


def test_the_plugin_loads_nothing_heavy() -> None:
    plugin = Path("twisted") / "plugins" / "ftpservice_plugin.py"
    program = f"import runpy\nrunpy.run_path({str(CHECKOUT / plugin)!r})"
    assert loaded_by(program) & HEAVY == set()


def test_twistd_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nsys.argv = ['twistd', '--help']\nfrom twisted.scripts.twistd import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\nsys.stdout.flush()"
    )
    loaded = loaded_by(program)
    assert "ftpservice" in loaded
    assert loaded & HEAVY == set()


OPTIONAL = {
    "acme",
    "alembic",
    "botocore",
    "ldap3",
    "opentelemetry",
    "pamela",
    "prometheus_client",
    "prompt_toolkit",
    "psycopg",
    "pyotp",
    "rich",
    "segno",
    "sqlalchemy",
    "webauthn",
}
"""What only extras install."""


@pytest.mark.parametrize(
    "module",
    ["ftpservice.service.tap", "ftpservice.workers.process.worker_process", "ftpservice.admin.cli"],
)
def test_service_workers_and_command_load_nothing_that_is_optional(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert "ftpservice" in loaded
    assert loaded & OPTIONAL == set()
