"""An instrument for the panel's tests and for trying the panel without an engine: it answers, remembers and hums.

It has no threads: every snapshot is computed from the events so far and the time that passed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from synth_app.core.errors import DeviceError, ModelError, PresetError
from synth_app.core.events import ControlChange, NoteOff, NoteOn, Panic, PlayerEvent, SetMorph, SetParam
from synth_app.core.params import PARAMS
from synth_app.core.units import pitch_to_hz
from synth_app.engine.ports import AudioDevice, AudioSettings
from synth_app.engine.telemetry import Telemetry, VoiceView
from synth_app.timbre.anchors import Anchor, Layer
from synth_app.timbre.patch import Patch, PatchAnchor

LATENT_SIZE = 32
RATE_HZ = 48000
SCOPE_SAMPLES = 4096

_INSTRUMENTS = (
    ("Grand Piano", "Keys", 1500, 4, 0.05, -24.0), ("Electric Piano", "Keys", 900, 6, 0.03, -18.0),
    ("Harpsichord", "Keys", 3200, 2, 0.08, -30.0), ("Church Organ", "Organ", 1800, 40, 0.02, -1.0),
    ("Accordion", "Organ", 2400, 60, 0.06, -2.0), ("Cello", "Strings", 1300, 90, 0.10, -2.0),
    ("Violin", "Strings", 2600, 70, 0.09, -2.0), ("Pizzicato", "Strings", 1100, 3, 0.04, -40.0),
    ("Flute", "Winds", 1000, 80, 0.18, -1.0), ("Clarinet", "Winds", 1200, 50, 0.07, -1.0),
    ("Oboe", "Winds", 2200, 45, 0.06, -1.0), ("Trumpet", "Brass", 2900, 35, 0.05, -2.0),
    ("French Horn", "Brass", 800, 60, 0.04, -2.0), ("Choir", "Voices", 1400, 150, 0.14, -1.0),
    ("Marimba", "Mallets", 700, 2, 0.03, -36.0), ("Vibraphone", "Mallets", 1000, 3, 0.02, -14.0),
)  # fmt: skip


def make_anchors(seed: int = 1) -> tuple[Anchor, ...]:
    """Sixteen anchors in seven families, with descriptors and one or two layers."""
    rng = np.random.default_rng(seed)
    anchors = []
    for name, family, brightness, attack, noise, sustain in _INSTRUMENTS:
        velocities = (50, 110) if family in ("Keys", "Brass") else (96,)
        layers = tuple(Layer(v, rng.standard_normal(LATENT_SIZE).astype(np.float32)) for v in velocities)
        measured = {
            "brightness_hz": float(brightness),
            "attack_ms": float(attack),
            "noisiness": noise,
            "sustain_db": sustain,
        }
        anchors.append(Anchor(name, family, layers, (family.casefold(),), measured))
    return tuple(anchors)


def welcome_patch() -> Patch:
    """A patch of five anchors, as a curated default would be."""
    places = (("Cello", 0.20, 0.30), ("Flute", 0.52, 0.12), ("Choir", 0.84, 0.34), ("Marimba", 0.72, 0.80),
              ("Grand Piano", 0.27, 0.78))  # fmt: skip
    weights = (0.42, 0.26, 0.16, 0.06, 0.10)
    anchors = tuple(PatchAnchor(name, x, y, w) for (name, x, y), w in zip(places, weights, strict=True))
    return Patch("Welcome", anchors, author="synth_app", notes="A warm place to begin.", tags=("warm", "pad"))


class FakeInstrument:
    """Behaves like an instrument behind :class:`synth_app.engine.ports.Instrument`.

    Args:
        folder: where presets, the bin and recordings go. clock: seconds, for tests that own the time.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._folder = folder
        self.anchors = make_anchors()
        self.patch = welcome_patch()
        self.events: list[PlayerEvent] = []
        self.patches_set: list[Patch] = []
        self.previews: list[tuple[PatchAnchor, int, int]] = []
        self.opened: list[AudioSettings] = []
        self.connected: tuple[str, ...] | None = None
        self.channels: tuple[int, ...] = ()
        self.models: list[tuple[str, str]] = []
        self.params = {spec.name: spec.default for spec in PARAMS.values() if not spec.in_patch}
        self.held: dict[int, tuple[int, float]] = {}
        self.closed = False
        self.broken_device = "Broken"
        self._sounding = self.patch.weights
        self._revision = 1
        self._last_s = clock()
        self._phase = np.zeros(128)
        self._audio = AudioSettings("JACK Audio Connection Kit: system", RATE_HZ, 256)
        self._recording: Path | None = None
        self._last_panic = ""
        self._frame = 0
        self.extra_telemetry: dict[str, object] = {}
        (folder / "factory").mkdir(parents=True, exist_ok=True)
        self.preset_folder.mkdir(parents=True, exist_ok=True)
        self._write(self.patch, folder / "factory" / "Welcome.toml")
        self._write(replace(self.patch, name="Glass Choir", tags=("airy",)), folder / "factory" / "Glass Choir.toml")
        self._write(replace(self.patch, name="Night Bus", author="Ada", tags=("dark",)),
                    self.preset_folder / "Night Bus.toml")  # fmt: skip

    # ---------------------------------------------------------------- events
    def post(self, event: PlayerEvent) -> None:
        self.events.append(event)
        if isinstance(event, NoteOn):
            self.held[event.pitch] = (event.velocity, self._clock())
        elif isinstance(event, NoteOff):
            self.held.pop(event.pitch, None)
        elif isinstance(event, SetMorph):
            self.patch = self.patch.with_weights(event.weights)
        elif isinstance(event, SetParam):
            if PARAMS[event.name].in_patch:
                self.patch = self.patch.with_param(event.name, event.value)
            else:
                self.params[event.name] = event.value
        elif isinstance(event, Panic):
            self._last_panic = f"{len(self.held)} notes"
            self.held.clear()

    def of_type(self, kind: type) -> list[PlayerEvent]:
        """The events of one type so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def controls(self, controller: int) -> list[int]:
        """The values a controller took."""
        return [e.value for e in self.events if isinstance(e, ControlChange) and e.controller == controller]

    def telemetry(self) -> Telemetry:
        now = self._clock()
        elapsed, self._last_s = min(0.2, max(0.0, now - self._last_s)), now
        self._frame += round(elapsed * RATE_HZ)
        step = min(1.0, elapsed / 0.15)
        if len(self._sounding) != len(self.patch.weights):
            self._sounding = self.patch.weights
        self._sounding = tuple(s + step * (a - s) for s, a in zip(self._sounding, self.patch.weights, strict=True))
        scope = self._hum()
        peak = float(np.max(np.abs(scope))) if scope.size else 0.0
        snapshot = Telemetry(
            time_ns=round(now * 1e9), frame=self._frame, peak_left=peak, peak_right=0.9 * peak,
            voices=tuple(VoiceView(p, 0, p, "sounding", v / 127) for p, (v, _) in sorted(self.held.items())),
            asked_weights=self.patch.weights, sounding_weights=self._sounding, patch_name=self.patch.name,
            patch_revision=self._revision, latency_ms=7.3, jitter_ms=0.2, callbacks=self._frame // 256,
            cpu_load=0.04 + 0.01 * len(self.held), queue=3 * len(self.held), cache_notes=240, cache_bytes=180 << 20,
            warm=0.86, provider="CPU, 2 threads", model="default", audio_device=self._audio.device,
            rate_hz=self._audio.rate_hz or RATE_HZ, block_frames=self._audio.block_frames,
            midi_inputs=self.connected if self.connected is not None else ("Keystep 37",),
            midi_events=len(self.of_type(NoteOn)), recording=str(self._recording or ""), last_panic=self._last_panic,
            scope=scope,
        )  # fmt: skip
        return replace(snapshot, **self.extra_telemetry) if self.extra_telemetry else snapshot

    def _hum(self) -> np.ndarray:
        """The last samples of a simple additive tone for each held note, brighter with the first anchor's weight."""
        t = (self._frame - SCOPE_SAMPLES + np.arange(SCOPE_SAMPLES)) / RATE_HZ
        mix = np.zeros(SCOPE_SAMPLES)
        slope = 1.0 + 1.6 * (1.0 - self._sounding[0])
        for pitch, (velocity, _) in self.held.items():
            hz = pitch_to_hz(pitch)
            wobble = 0.9 * np.sin(2 * np.pi * 5.5 * t)
            for k in range(1, 26):
                if k * hz < 16000:
                    mix += velocity / 127 * 0.16 * k**-slope * np.sin(2 * np.pi * k * hz * t + 0.12 * k * wobble)
        return mix.astype(np.float32)

    # ---------------------------------------------------------------- patch and presets
    def set_patch(self, patch: Patch) -> None:
        self.patches_set.append(patch)
        self.patch = patch
        self._revision += 1

    def program_change(self, patch: Patch) -> None:
        """What a MIDI keyboard's program change does."""
        self.patch = patch
        self._revision += 1

    @property
    def preset_folder(self) -> Path:
        return self._folder / "mine"

    def presets(self) -> Sequence[tuple[str, Path]]:
        factory = sorted((self._folder / "factory").rglob("*.toml"))
        own = sorted(self.preset_folder.rglob("*.toml"))
        return [(path.stem, path) for path in (*factory, *own)]

    def load_preset(self, path: Path) -> Patch:
        self.set_patch(self.read_preset(path))
        return self.patch

    def read_preset(self, path: Path) -> Patch:
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            anchors = tuple(PatchAnchor(**{**a, "latents": _tuples(a["latents"])}) for a in raw.pop("anchors"))
            scenes = tuple(tuple((name, weight) for name, weight in scene) for scene in raw["scenes"])
            return Patch(**{**raw, "anchors": anchors, "tags": tuple(raw["tags"]), "scenes": scenes})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PresetError(f"{path.name} is not a preset; choose another file.") from error

    def save_preset(self, patch: Patch, path: Path | None = None, *, overwrite: bool = False) -> Path:
        target = path or self.preset_folder / f"{patch.name}.toml"
        if target.exists() and not overwrite:
            raise PresetError(f"{target.name} exists already; choose another name.")
        self._write(patch, target)
        return target

    def delete_preset(self, path: Path) -> Path:
        if not path.is_relative_to(self.preset_folder):
            raise PresetError("Factory presets cannot be deleted.")
        target = self._folder / "bin" / path.name
        target.parent.mkdir(exist_ok=True)
        return path.replace(target)

    def _write(self, patch: Patch, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(patch)), encoding="utf-8")
        except OSError as error:
            raise PresetError(f"{path} cannot be written; choose another folder.") from error

    def preview(self, anchor: PatchAnchor, pitch: int, velocity: int) -> None:
        self.previews.append((anchor, pitch, velocity))

    # ---------------------------------------------------------------- devices
    def audio_devices(self) -> Sequence[AudioDevice]:
        return [
            AudioDevice("JACK Audio Connection Kit: system", "JACK Audio Connection Kit", 2, RATE_HZ, True),
            AudioDevice("ALSA: USB Interface", "ALSA", 2, 44100, False),
            AudioDevice(self.broken_device, "ALSA", 2, 44100, False),
        ]

    def open_audio(self, settings: AudioSettings) -> None:
        self.opened.append(settings)
        if settings.device == self.broken_device:
            raise DeviceError(f"{settings.device} cannot be opened; choose another device.")
        self._audio = settings

    def midi_inputs(self) -> Sequence[str]:
        return ["Keystep 37", "nanoKONTROL2"]

    def connect_midi(self, names: Sequence[str] | None) -> None:
        self.connected = None if names is None else tuple(names)

    def listen_to_channels(self, channels: Sequence[int]) -> None:
        self.channels = tuple(channels)

    def open_model(self, model: str, provider: str) -> None:
        """The model "other" knows eight of the timbres only; "broken" cannot be opened."""
        if model == "broken":
            raise ModelError("The model broken is damaged; choose another.")
        self.models.append((model, provider))
        self.anchors = make_anchors()[8:] if model == "other" else make_anchors()
        names = [anchor.name for anchor in self.anchors]
        if any(anchor.name not in names for anchor in self.patch.anchors):
            self.set_patch(Patch("Untitled", (PatchAnchor(names[0], 0.5, 0.5, 1.0),)))

    def start_recording(self, path: Path | None = None) -> Path:
        self._recording = path or self._folder / "take.wav"
        return self._recording

    def stop_recording(self) -> Path | None:
        done, self._recording = self._recording, None
        return done

    def close(self) -> None:
        self.closed = True


def _tuples(layers: list) -> tuple:
    return tuple((velocity, tuple(latent)) for velocity, latent in layers)
