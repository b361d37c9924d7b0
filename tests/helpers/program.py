"""The real program, in a process of its own, with a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.helpers import jack


def environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment in which the program meets no settings, presets or servers of the person at the machine."""
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    home.mkdir(parents=True, exist_ok=True)
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        env[f"XDG_{name}_HOME"] = str(home / name.lower())
    return {**env, **jack.ENVIRONMENT, "HOME": str(home), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **extra}


def run_command(
    *arguments: str | Path, home: Path, timeout_s: float = 120.0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``synth-app ARGUMENTS`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "synth_app", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=home,
        stdin=subprocess.DEVNULL,
        env={**environment(home), **(env or {})},
    )


def run_here(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What :func:`run_command` does, in this process: for the many cases that need no process of their own."""
    from synth_app.app.cli import main

    words = list(map(str, arguments))
    capfd.readouterr()
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["synth-app", *words])
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
    said = capfd.readouterr()
    return subprocess.CompletedProcess(words, code, said.out, said.err)


class Program:
    """``synth-app`` running. Use as a context manager: leaving the block ends it; a failed test shows what it said.

    Args:
        arguments: what follows ``synth-app`` on the command line.
        home: folder that stands for the player's home.
        env: variables on top of :func:`environment`.
    """

    def __init__(self, arguments: Sequence[str | Path], home: Path, env: Mapping[str, str] | None = None) -> None:
        self._arguments = [sys.executable, "-m", "synth_app", *map(str, arguments)]
        self._env = {**environment(home), **(env or {})}
        self._home = home
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self.started_s = 0.0

    def __enter__(self) -> Self:
        self.started_s = time.monotonic()
        self._process = subprocess.Popen(
            self._arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self._env,
            cwd=self._home,
        )
        for stream in (self._process.stdout, self._process.stderr):
            reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
            reader.start()
            self._readers.append(reader)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._join_readers()
        sys.stdout.write("\n".join(["--- the program said:", *self._lines, ""]))

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process itself."""
        assert self._process is not None
        return self._process

    @property
    def output(self) -> str:
        """Everything it has said so far, stdout and stderr in order of arrival."""
        with self._changed:
            return "\n".join(self._lines)

    def wait_line(self, start: str, timeout_s: float = 150.0) -> str:
        """The first line that begins with ``start``, as soon as it is there.

        Raises:
            AssertionError: the program ended, or said no such thing in time.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for line in self._lines:
                    if line.startswith(start):
                        return line
                left = end - time.monotonic()
                if self.process.poll() is not None and not any(reader.is_alive() for reader in self._readers):
                    break
                if left <= 0:
                    break
                self._changed.wait(min(left, 0.1))
        raise AssertionError(f"no line beginning with {start!r}; it said:\n{self.output}")

    def wait_ready(self, timeout_s: float = 150.0) -> str:
        """Its ``ready`` line, as soon as it can be played. A first start in a checkout compiles the mixer before."""
        return self.wait_line("ready", timeout_s)

    def interrupt(self, how: signal.Signals = signal.SIGTERM, timeout_s: float = 20.0) -> int:
        """Send a signal, wait for the end and return the exit code."""
        self.process.send_signal(how)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(timeout_s)
        self._join_readers()
        return code

    def _join_readers(self) -> None:
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
