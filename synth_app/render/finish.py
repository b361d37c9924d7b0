"""From a generator's frames to a playable note: rendered in slices, decoded as they come, at the device's rate.

The model speaks at 16 kHz. Decoding with a zero-padded inverse FFT gives 48 or 96 kHz directly, exactly and with no
state. A device at another rate gets notes decoded at 96 kHz, and the mixer reads them at the ratio of the two: at six
times the model's rate its interpolation is transparent (ADR 7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import NoteKey
from synth_app.core.shared import write_shared
from synth_app.dsp.release import CONTEXT_FRAMES, SMEAR_FRAMES, Release
from synth_app.dsp.sustain import Sustain
from synth_app.render.note import AVAILABLE, FINAL, Note
from synth_app.render.ports import DecodingGenerator, Generator, GeneratorInfo
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.streaming import StreamingDecoder

FADE_IN_S = 0.001
"""Dropping the padding cuts the attack mid-wave; this takes the edge off."""

SLICE_FRAMES = 16
HAND_OVER_FRAMES = 3  # rendered beyond where a key goes up, for the release to take over

SUSTAIN_START_FRAME = 40
"""A held note is walked on from here (1.1 s into it) up to the release."""


def decoding_factor(model_rate_hz: int, device_rate_hz: int) -> int:
    """By how many times the model's rate notes are decoded for a device.

    3 for 48 kHz and 6 for 96 kHz; 6 as well where the device's rate is no multiple of the model's.
    """
    factor = device_rate_hz // model_rate_hz
    if factor * model_rate_hz == device_rate_hz and factor in (1, 2, 3, 6):
        return factor
    return 6


class Finisher:
    """Makes notes for one generator and one device rate.

    Attributes:
        rate_hz: the rate notes are decoded at. samples: of a whole note.
        first_frame: the first frame that needs rendering: those before it hold only padding.
    """

    def __init__(self, info: GeneratorInfo, device_rate_hz: int) -> None:
        self._info = info
        self._config = SpectralConfig(
            info.sample_rate_hz, info.fft_size, info.hop_samples, info.frames, info.bins,
            (info.frames - 1) * info.hop_samples + info.fft_size - 4 * info.sample_rate_hz,
        )  # fmt: skip
        self._factor = decoding_factor(info.sample_rate_hz, device_rate_hz)
        self.rate_hz = info.sample_rate_hz * self._factor
        self.samples = self._config.samples * self._factor
        # Centred, the padding's frames carry nothing; Magenta's phase runs through them.
        self.first_frame = self._config.pad_frames if info.phase_convention == "centred" else 0
        self._blank = StreamingDecoder(self._config, info.phase_convention, self._factor, self.first_frame)

    @property
    def frames(self) -> int:
        """Frames of a whole note."""
        return self._info.frames

    @property
    def picture(self) -> tuple[int, int]:
        """Shape of a whole note's picture: frames and bins."""
        return self._info.frames, self._info.bins

    @property
    def first_stop(self) -> int:
        """The frame at which a note's first slice ends."""
        return self._info.first_stop

    @property
    def release_frame(self) -> int:
        """The frame at which the model's own release begins."""
        return self._info.release_frame

    @property
    def join_frame(self) -> int:
        """The first frame before the release whose window already sees it: up to here a note is held."""
        return self._info.release_frame - SMEAR_FRAMES

    @property
    def hop(self) -> int:
        """Samples of a hop at the decoding rate."""
        return self._config.hop_samples * self._factor

    @property
    def lead_frames(self) -> int:
        """Hops of padding in front of a note: frame ``h`` first sounds at sample ``(h - lead_frames) * hop``."""
        return self._config.pad_samples // self._config.hop_samples

    def slice_bytes(self, whole: bool) -> int:
        """Memory a note takes, whole or its first slice."""
        frames = self.frames if whole else self.first_stop
        return 4 * (self.samples if whole else self.samples_after(frames)) + 4 * frames * self._info.bins

    def frame_of_sample(self, sample: float) -> int:
        """How many frames must be rendered for this sample to be final (at most a whole note's)."""
        return min(self.frames, max(self.first_stop, int(sample // self.hop) + self.lead_frames + 2))

    def new_note(self, key: NoteKey, latent: NDArray[np.float32]) -> Note:
        """A note of which nothing is rendered yet."""
        return Note(key, latent, self.samples, self.first_frame, (self._info.frames, self._info.bins))

    def warm_up(self, generator: Generator) -> None:
        """Render a first slice (and a whole note, on a device) for nobody: what is slow the first time is then done."""
        latent = np.zeros(self._info.latent_size, np.float32)
        slow, whole = (self.new_note(NoteKey(self._info.model_id, b"", self._info.lowest_pitch), latent) for _ in "12")
        self.extend(slow, generator, self.first_stop)
        self.finish_at_once(whole, generator)

    def next_stop(self, note: Note) -> int:
        """Where the note's next slice ends. The first must be soon; no later one may keep a struck key waiting."""
        if note.next_frame < self.first_stop:
            return self.first_stop
        return min(note.next_frame + SLICE_FRAMES, self._info.frames)

    def ranges_heard(self, held_s: float) -> list[tuple[int, int]]:
        """The frames, half-open, that are heard of a note held for so long: its beginning in whole slices, its end."""
        until, stop = self.frame_of_sample(min(held_s, self.samples / self.rate_hz) * self.rate_hz), self.first_stop
        while stop < min(until + HAND_OVER_FRAMES, self.release_frame):
            stop += SLICE_FRAMES
        end = self.release_frame - CONTEXT_FRAMES
        if stop >= end:
            return [(self.first_frame, self.frames)]
        return [(self.first_frame, stop), (end, self.frames)]

    def samples_after(self, frames: int) -> int:
        """Samples that are final once frames up to (not including) ``frames`` are rendered."""
        return max(0, frames - self.lead_frames) * self.hop

    def fetch(self, note: Note, generator: Generator, start: int, stop: int) -> None:
        """Render those frames of ``start..stop`` that are missing, in one go, and keep them."""
        missing = np.flatnonzero(~note.have[start:stop])
        if not len(missing):
            return
        note.prepare()
        first, last = start + int(missing[0]), start + int(missing[-1]) + 1
        frames = generator.render(note.latent[None], np.array([note.key.pitch], np.int64), first, last)
        fresh = ~note.have[first:last]  # what is there may be in use: it is never written again
        note.log_mel[first:last][fresh] = frames.log_mel[0][fresh]
        note.inst_freq[first:last][fresh] = frames.inst_freq[0][fresh]
        note.have[first:last] = True
        note.kept += int(np.count_nonzero(fresh))

    def has_release(self, note: Note) -> bool:
        """Whether the frames are there that its release is made of."""
        return note.has(self.release_frame - CONTEXT_FRAMES, self.frames)

    def learn_release(self, note: Note) -> bool:
        """Have what a note says of its end at hand, before its key is let go, if its frames are; whether it is."""
        if note.release is None and self.has_release(note):
            note.release = Release(*note.picture(0, self.frames), self.release_frame)
        return note.release is not None

    def learn_sustain(self, note: Note) -> bool:
        """The same of what there is to walk on in a note that is held beyond its own sustain."""
        if note.sustain is None and note.has(self.first_frame, self.join_frame):
            start, join = SUSTAIN_START_FRAME, self.join_frame
            decoder = self._blank.fork()
            decoder.skip(*note.picture(self.first_frame, start))
            drift = decoder.drift(*note.picture(start, join))
            note.sustain = Sustain(*note.picture(0, join), start, join, drift=drift)
        return note.sustain is not None

    def extend(self, note: Note, generator: Generator, stop_frame: int) -> None:
        """Render and decode a note up to ``stop_frame``, and publish its new samples."""
        self.fetch(note, generator, note.next_frame, stop_frame)
        decoder = note.decoder or self._decoder_for(note)
        padding = max(0, self.lead_frames - decoder.frame) * decoder.hop_samples
        samples = decoder.push(*note.picture(note.next_frame, stop_frame))[padding:]
        note.next_frame = stop_frame
        note.decoder = decoder
        self._append(note, samples)
        if stop_frame == self._info.frames:
            self._append(note, decoder.tail())
            note.decoder = None
            write_shared(note.progress, FINAL, 1)

    def finish_at_once(self, note: Note, generator: Generator) -> bool:
        """Have a note that is not begun made as a whole, where the generator does that; whether it did."""
        if note.next_frame != self.first_frame or not isinstance(generator, DecodingGenerator):
            return False
        sound = generator.sound(note.latent[None], np.array([note.key.pitch], np.int64), self._factor)
        if sound is None:
            return False
        note.prepare()
        fresh = ~note.have
        fresh[: self.first_frame] = False
        note.log_mel[fresh], note.inst_freq[fresh] = sound.log_mel[0][fresh], sound.inst_freq[0][fresh]
        note.have[self.first_frame :] = True
        note.kept, note.next_frame = self.frames - self.first_frame, self.frames
        self._append(note, sound.samples[0])
        write_shared(note.progress, FINAL, 1)
        return True

    def _decoder_for(self, note: Note) -> StreamingDecoder:
        """Where nothing is decoded yet a new one; else, as the note was once cut down, one that goes on from there."""
        if note.next_frame == self.first_frame:
            return self._blank.fork()
        return self.decoder_at(note, note.next_frame)[0]

    def decoder_at(self, note: Note, frame: int) -> tuple[StreamingDecoder, NDArray[np.float32]]:
        """A decoder that goes on from ``frame`` as the note itself does, and the samples of the hop before it.

        The frames before must be there. Phase is carried over all of them; the overlap is rebuilt from the last four.
        """
        decoder = self._blank.fork()
        near = max(self.first_frame, frame - 4)
        if near > self.first_frame:
            decoder.skip(*note.picture(self.first_frame, near))
        return decoder, decoder.push(*note.picture(near, frame))[-self.hop :]

    def _append(self, note: Note, samples: NDArray[np.float32]) -> None:
        start = note.available
        stop = min(start + len(samples), len(note.audio))
        note.audio[start:stop] = samples[: stop - start]
        if start == 0 and stop > 0:
            fade = min(stop, round(FADE_IN_S * self.rate_hz))
            note.audio[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)
        write_shared(note.progress, AVAILABLE, stop)
