"""Sound to files: whole renders, and recordings of what is being played. Files appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from synth_app.core.errors import FileFormatError
from synth_app.engine.callback import MixerMemory
from synth_app.engine.protocol import TAP_FRAMES

SUBTYPE = "PCM_24"
_POLL_S = 0.1
_LIBRARY_ERRORS = (OSError, soundfile.SoundFileError)


class WavFile:
    """A stereo 24-bit WAV that takes its name only when it is closed without error.

    Raises:
        FileFormatError: the place cannot be written.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        try:
            self._file = soundfile.SoundFile(self._part, "w", rate_hz, 2, SUBTYPE, format="WAV")
        except _LIBRARY_ERRORS as error:
            raise FileFormatError(f"{path} cannot be written; choose a folder that exists and is yours.") from error

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append float32 ``[frames, 2]``.

        Raises:
            FileFormatError: the disk is full or gone. What fitted can still be kept (:meth:`close`) or not
                (:meth:`discard`).
        """
        try:
            self._file.write(samples)
        except _LIBRARY_ERRORS as error:
            raise FileFormatError(f"{self.path} could not be written on; is the disk full?") from error

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            FileFormatError: the disk is full or gone; nothing of the file stays.
        """
        try:
            self._file.close()
            with self._part.open("rb+") as handle:
                os.fsync(handle.fileno())
            self._part.replace(self.path)
        except _LIBRARY_ERRORS as error:
            self.discard()
            raise FileFormatError(f"{self.path} could not be finished; is the disk full?") from error

    def discard(self) -> None:
        """Give up: remove what was written."""
        with contextlib.suppress(*_LIBRARY_ERRORS):
            self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink()


class Recorder:
    """Writes what the mixer puts out, from the moment it is made, on a thread of its own.

    Attributes:
        path: where the recording will be.
        error: why it ended early, or ``None``.
    """

    def __init__(self, memory: MixerMemory, path: Path) -> None:
        self.path = path
        self.error: FileFormatError | None = None
        self._memory = memory
        self._next = int(memory.state[0]["tap_frame"])
        self._file, self._rate_hz = WavFile(path, memory.rate_hz), memory.rate_hz
        self._resampler: soxr.ResampleStream | None = None
        self._draining = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def follow(self, memory: MixerMemory) -> None:
        """Go on with what another output plays, at the take's own rate; nothing to do where it is the same output."""
        if memory is self._memory:
            return
        self._drain()
        with self._draining:
            self._memory, self._next = memory, 0
            same = memory.rate_hz == self._rate_hz
            self._resampler = None if same else soxr.ResampleStream(memory.rate_hz, self._rate_hz, 2, dtype="float32")

    def _run(self) -> None:
        while not self._stop.wait(_POLL_S):
            if not self._drain():
                return

    def _drain(self) -> bool:
        with self._draining:
            return self._write_new()

    def _write_new(self) -> bool:
        tap = self._memory.tap.reshape(TAP_FRAMES, 2)
        newest = int(self._memory.state[0]["tap_frame"])
        self._next = max(self._next, newest - TAP_FRAMES // 2)  # a long stall costs sound, never order
        try:
            while self._next < newest:
                start = self._next % TAP_FRAMES
                count = min(newest - self._next, TAP_FRAMES - start)
                sound = tap[start : start + count]
                self._file.write(sound if self._resampler is None else self._resampler.resample_chunk(sound))
                self._next += count
        except FileFormatError as error:
            self.error = self._keep_what_fitted(error)
            return False
        return True

    def _keep_what_fitted(self, error: FileFormatError) -> FileFormatError:
        """A take cannot be played again: what is on the disk stays there."""
        try:
            self._file.close()
        except FileFormatError:
            return error
        return FileFormatError(f"{self.path} could not be written on (is the disk full?); what was recorded is kept.")

    def stop(self) -> Path:
        """End the recording and return its path.

        Raises:
            FileFormatError: it could not be written to the end.
        """
        self._stop.set()
        self._thread.join()
        if self.error is None and self._drain():
            self._file.close()
            return self.path
        raise self.error or FileFormatError(f"{self.path} could not be written.")


def write_wav(path: Path, samples: NDArray[np.float32], rate_hz: int) -> None:
    """Write float32 ``[frames, 2]`` as a whole file.

    Raises:
        FileFormatError: it cannot be written.
    """
    file = WavFile(path, rate_hz)
    try:
        file.write(samples)
    except BaseException:
        file.discard()
        raise
    file.close()
