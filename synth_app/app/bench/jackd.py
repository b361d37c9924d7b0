"""A JACK server without hardware for the whole program to play on, and processes of our own beside it.

Whatever meets JACK runs in a process of its own: PortAudio and RtMidi look for the server when they are loaded, and the
program under measurement should be the program and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from synth_app.app.bench.setting import CannotMeasureError

log = logging.getLogger(__name__)

SERVER_NAME = "synth-app-bench"
"""Constant: jackd leaks a slot of a small registry when it dies uncleanly, and only the same name takes it back."""

RATE_HZ = 48_000
_START_S = 15.0


def child_environment(folder: Path) -> dict[str, str]:
    """An environment with our server in it, no screen, and none of the player's settings or presets."""
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    for name in ("CONFIG", "DATA", "STATE"):
        env[f"XDG_{name}_HOME"] = str(folder / "home" / name.lower())
    jack = {"JACK_DEFAULT_SERVER": SERVER_NAME, "JACK_NO_START_SERVER": "1", "JACK_NO_AUDIO_RESERVATION": "1"}
    return {**env, **jack, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "QT_QPA_PLATFORM": "offscreen"}


@contextlib.contextmanager
def dummy_server(folder: Path, period: int) -> Iterator[dict[str, str]]:
    """A running server with this period; gives the environment for its clients.

    It does not wait for late clients, so a late callback costs sound here as it would on a sound card.

    Raises:
        CannotMeasureError: jackd is not installed, or does not start.
    """
    jackd, lister = shutil.which("jackd"), shutil.which("jack_lsp")
    if jackd is None or lister is None:
        raise CannotMeasureError("jackd is not installed (on Debian or Ubuntu: sudo apt-get install jackd2)")
    env = child_environment(folder)
    log = folder / "jackd.log"
    command = [jackd, "-R", "-n", SERVER_NAME, "-d", "dummy", "-r", str(RATE_HZ), "-p", str(period)]
    with _only_one(), log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=env, start_new_session=True)
        try:
            _wait_ready(process, lister, env, log)
            yield env
        finally:
            _end(process)


def _wait_ready(process: subprocess.Popen[bytes], lister: str, env: Mapping[str, str], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        if subprocess.run([lister], capture_output=True, env=env, check=False).returncode == 0:
            return
        time.sleep(0.05)
    last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    raise CannotMeasureError(f"jackd did not start ({last})")


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """One benchmark at a time has the server's name."""
    try:
        import fcntl
    except ImportError:
        raise CannotMeasureError("a JACK server of our own is started on Linux and macOS only") from None
    with (Path(tempfile.gettempdir()) / f"{SERVER_NAME}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Child:
    """A process that measures something beside us: it answers each line it is given with a line of JSON.

    Args:
        name, arguments: what to do; see :mod:`synth_app.app.bench.child`.

    Raises:
        CannotMeasureError: from :meth:`answer`, when the child met something that the player can mend, or ended.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], env: Mapping[str, str], folder: Path) -> None:
        self._name = name
        self._errors = folder / f"{name}.stderr"
        command = [sys.executable, "-m", "synth_app.app.bench.child", name, json.dumps(dict(arguments))]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=dict(env), text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it may have ended already
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            _end(self._process)
        self._process.stdout.close()

    def answer(self, question: str = "") -> dict[str, Any]:
        """Wait for its next answer, after a question if one is given."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            if question:
                self._process.stdin.write(question + "\n")
                self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            said = self._errors.read_text(errors="replace").strip()
            log.warning("the benchmark's process %r ended without an answer: %s", self._name, said)
            last = said.splitlines()[-1] if said else "it said nothing"
            raise CannotMeasureError(f"the process that was measured ended ({last})")
        result: dict[str, Any] = json.loads(line)
        if "error" in result:
            raise CannotMeasureError(result["error"])
        return result


def ask_child(name: str, arguments: Mapping[str, Any], env: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Run a child for one answer."""
    with Child(name, arguments, env, folder) as child:
        return child.answer()
