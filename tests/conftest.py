"""Fixtures for every test. The environment is set before anything of the program is imported."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from synth_app.app.paths import ensure_numba_cache
from tests.helpers import jack
from tests.helpers.log_rule import _log_rule, expect_log

__all__ = ["_log_rule", "expect_log"]

# A loaded machine is no failure: hypothesis does not time what it tries. And what was checked is checked the same way
# again; `pytest --hypothesis-profile=explore` looks for what nobody has tried yet.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("house", settings.get_profile("explore"), derandomize=True)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a home of their own: nothing of the person at the machine is read or written.

    But for compiled code, which is named after its source and takes a while to make: that stays from run to run, and
    the programs that tests start find it, too.
    """
    ensure_numba_cache()
    home = Path(tempfile.mkdtemp(prefix="synth-app-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ["HOME"] = str(home)
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(home / name.lower())
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.update(jack.ENVIRONMENT)


REAL_TIME = {"_jack_server", "screen"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What plays in real time gets two more chances: a machine that stood still for a moment is no fault of ours.

    The summary names every test that needed it, and ``-p no:rerunfailures`` gives none.
    """
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if REAL_TIME.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def _jack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jack.JackServer]:
    server = jack.JackServer(tmp_path_factory.mktemp("jack") / "jackd.log")
    yield server
    server.close()


@pytest.fixture
def jack_server(_jack_server: jack.JackServer) -> jack.JackServer:
    """A dummy JACK server that waits for its clients: nothing is lost, so what was played can be judged."""
    _jack_server.ensure(jack.ServerMode())
    return _jack_server
