"""A JACK server without hardware, and recordings made by a client that is no part of the program.

The server's name is constant: jackd leaks a slot of a small shared registry whenever it dies uncleanly, and a slot is
taken back only by a server of the same name. One lock file keeps two test runs on one machine out of each other's way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

SERVER_NAME = "synth-test"
RATE_HZ = 48000
OUTPUTS = ("synth_app_audio:out_0", "synth_app_audio:out_1")
"""The instrument's output ports."""

ENVIRONMENT = {
    "JACK_DEFAULT_SERVER": SERVER_NAME,
    "JACK_NO_START_SERVER": "1",
    "JACK_NO_AUDIO_RESERVATION": "1",
}


def tool(name: str) -> str:
    """Path of a command that the tests need.

    Raises:
        RuntimeError: it is not installed; the message names the package.
    """
    path = shutil.which(name)
    if path is None:
        package = {"jackd": "jackd2", "jack_rec": "jackd2", "jack_lsp": "jackd2", "Xvfb": "xvfb"}.get(name, name)
        raise RuntimeError(f"The tests need {name}: sudo apt-get install {package} (./check does it).")
    return path


@dataclass(frozen=True, slots=True)
class ServerMode:
    """How the server runs.

    Attributes:
        period: frames in one cycle.
        synchronous: the server waits for late clients. MIDI is then never lost, but a late callback leaves no trace in
            a recording: right for "what was played", wrong for "was it glitch-free".
    """

    period: int = 256
    synchronous: bool = True


class JackServer:
    """Runs one dummy jackd at a time and keeps it out of the way of every other server on the machine."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._mode: ServerMode | None = None
        self._lock_file = (Path(tempfile.gettempdir()) / f"{SERVER_NAME}.lock").open("a+")
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        self._end_orphan()

    def ensure(self, mode: ServerMode) -> None:
        """Have a server in this mode: the running one, or a new one in its place.

        Raises:
            RuntimeError: jackd did not start; its log is in the message.
        """
        if self._process is not None and self._process.poll() is None and self._mode == mode:
            return
        self.stop()
        sync = ["-S"] if mode.synchronous else []
        command = [
            tool("jackd"),
            "-R",
            *sync,
            "-n",
            SERVER_NAME,
            "-d",
            "dummy",
            "-r",
            str(RATE_HZ),
            "-p",
            str(mode.period),
        ]
        with self._log_path.open("ab") as log:
            # A session of its own: Ctrl-C at the tests must not end the server before the program under test.
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._note_pid(self._process.pid)
        self._mode = mode
        self._wait_ready()

    def stop(self) -> None:
        """End the server, if one runs."""
        if self._process is not None:
            with _without_portaudio():
                _end(self._process)
            self._process = None

    def close(self) -> None:
        """End the server and let another test run have its turn."""
        self.stop()
        self._note_pid(0)
        self._lock_file.close()

    def ports(self) -> list[str]:
        """Names of all ports."""
        return _jack_lsp() or []

    def wait_port(self, part: str, timeout_s: float = 20.0) -> str:
        """Name of the first port whose name contains ``part``, as soon as there is one.

        Raises:
            TimeoutError: none came.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for name in self.ports():
                if part in name:
                    return name
            time.sleep(0.05)
        raise TimeoutError(f"no JACK port with {part!r} in its name; there are {self.ports()}")

    def _wait_ready(self) -> None:
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            if _jack_lsp() is not None:
                return
            time.sleep(0.05)
        raise RuntimeError(f"jackd did not start:\n{self._log_path.read_text(errors='replace')[-2000:]}")

    def _note_pid(self, pid: int) -> None:
        self._lock_file.seek(0)
        self._lock_file.truncate()
        self._lock_file.write(f"{pid}\n")
        self._lock_file.flush()

    def _end_orphan(self) -> None:
        """End the server of a test run that was killed. Only a process that is our jackd is touched."""
        self._lock_file.seek(0)
        text = self._lock_file.read().strip()
        pid = int(text) if text.isdigit() else 0
        command_line = Path(f"/proc/{pid}/cmdline")
        if pid and command_line.exists() and SERVER_NAME.encode() in command_line.read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + 5.0
            while command_line.exists() and time.monotonic() < end:
                time.sleep(0.05)


@contextlib.contextmanager
def _without_portaudio() -> Iterator[None]:
    """Let PortAudio of this very process go: it aborts if it cannot take its leave of a server that it has met."""
    sounddevice = sys.modules.get("sounddevice")
    if sounddevice is None or not sounddevice._initialized:
        yield
        return
    sounddevice._terminate()
    yield
    sounddevice._initialize()


@contextlib.contextmanager
def recording(path: Path, ports: tuple[str, ...], longest_s: int = 60) -> Iterator[None]:
    """Record ``ports`` to ``path`` (32-bit WAV) with JACK's own recorder while the block runs."""
    command = [tool("jack_rec"), "-f", str(path), "-d", str(longest_s), "-b", "32", *ports]
    log = path.with_suffix(".jack_rec.log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **ENVIRONMENT})
    try:
        _wait_recorder(process, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # it closes the file properly on this
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_recording(path: Path) -> NDArray[np.float32]:
    """A recording as ``[frames, channels]`` at :data:`RATE_HZ`."""
    wave, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    return np.asarray(wave, np.float32)


def _wait_recorder(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the recorder's ports stand; it connects them before its first cycle."""
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"jack_rec ended at once:\n{log.read_text(errors='replace')}")
        if any(name.startswith("jackrec:") or "jack_rec" in name for name in _jack_lsp() or []):
            return
        time.sleep(0.02)
    raise TimeoutError("jack_rec made no ports")


def _jack_lsp() -> list[str] | None:
    """Port names, or ``None`` when no server answers."""
    try:
        result = subprocess.run(
            [tool("jack_lsp")],
            capture_output=True,
            text=True,
            timeout=5,
            env={**os.environ, **ENVIRONMENT},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return result.stdout.split("\n")[:-1] if result.returncode == 0 else None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
