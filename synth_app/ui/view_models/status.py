"""Telemetry in words: the honest facts of the status line, each with its health and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication

from synth_app.engine.ports import AudioSettings
from synth_app.engine.telemetry import Telemetry

translate = QCoreApplication.translate

SAFE_BLOCKS = (64, 128, 256, 512, 1024)
COMFORTABLE_LATENCY_MS = 20.0
COMFORTABLE_JITTER_MS = 3.0
OWN_PORT = "synth_app:"


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the status line; ``health`` is "good", "warn" or "plain"."""

    key: str
    label: str
    value: str
    health: str
    help: str


def facts(now: Telemetry, start: Telemetry) -> tuple[Fact, ...]:
    """What the status line shows; counters are counted from ``start`` (the moment the player last cleared them)."""

    def counted(name: str) -> tuple[str, str]:
        number = max(0, getattr(now, name) - getattr(start, name))
        return str(number), "warn" if number else "good"

    shown = {
        "latency": _latency(now),
        "xruns": counted("xruns"),
        "late": counted("late"),
        "bridged": counted("bridged"),
        "queue": (str(now.queue), "plain"),
        "warm": (f"{100 * now.warm:.0f} %", "plain"),
        "cache": (f"{now.cache_bytes / 1e6:.0f} MB", "plain"),
        "voices": (str(len(now.voices)), "plain"),
        "load": (f"{100 * now.cpu_load:.0f} %", "warn" if now.cpu_load > 0.7 else "plain"),
        "provider": (now.provider or "–", "plain"),
    }
    words = _words(now)
    return tuple(Fact(key, words[key][0], value, health, words[key][1]) for key, (value, health) in shown.items())


def _latency(now: Telemetry) -> tuple[str, str]:
    if not now.rate_hz:
        return translate("status", "no output"), "warn"
    strained = now.latency_ms > COMFORTABLE_LATENCY_MS or now.jitter_ms > COMFORTABLE_JITTER_MS
    return f"{now.latency_ms:.1f} ± {now.jitter_ms:.1f} ms", "warn" if strained else "good"


def _words(now: Telemetry) -> dict[str, tuple[str, str]]:
    """The label of each fact and what it means."""
    latency = translate("status", "No audio device is open. Choose one in the settings.")
    if now.rate_hz:
        latency = translate(
            "status",
            "How long after a key its sound comes, and by how much that varies. Under 10 ms feels instant. Output: "
            "{0}, {1:g} kHz in blocks of {2} frames.",
        ).format(now.audio_device, now.rate_hz / 1000, now.block_frames)
    return {
        "latency": (translate("status", "Latency"), latency),
        "xruns": (
            translate("status", "Drop-outs"),
            translate("status", "How often the sound card ran dry (xruns), heard as a crackle. “Make it safe” helps."),
        ),
        "late": (
            translate("status", "Late"),
            translate(
                "status",
                "Notes and changes that sounded a moment too late, since the computer was busy. “Make it safe” helps.",
            ),
        ),
        "bridged": (
            translate("status", "Stand-ins"),
            translate(
                "status",
                "Notes that began with the most similar sound at hand, because their own was not computed yet. Wait "
                "until the timbre is ready, or play one that is.",
            ),
        ),
        "queue": (
            translate("status", "To compute"),
            translate("status", "Notes of this timbre still to be computed, those near your hands first."),
        ),
        "warm": (
            translate("status", "Keys ready"),
            translate("status", "How much of the keyboard sounds at once with this timbre; the rest waits a moment."),
        ),
        "cache": (
            translate("status", "Kept"),
            translate(
                "status", "Memory that {0} computed notes take. They sound at once, and the oldest give way."
            ).format(now.cache_notes),
        ),
        "voices": (
            translate("status", "Voices"),
            translate("status", "Notes sounding now, those that die away included."),
        ),
        "load": (
            translate("status", "Mixer"),
            translate("status", "How much of its time the mixer needs; near 100 % it crackles."),
        ),
        "provider": (
            translate("status", "On"),
            translate("status", "What computes the notes, with the model {0}.").format(now.model or "–"),
        ),
    }


def safer_block(now: Telemetry, settings: AudioSettings) -> int | None:
    """The next larger block size, or ``None`` when it is already the largest."""
    present = max(now.block_frames, settings.block_frames, 1)
    return next((block for block in SAFE_BLOCKS if block > present), None)


def input_activity(now: Telemetry, before: Telemetry) -> bool:
    """Whether a MIDI message arrived between two snapshots."""
    return now.midi_events != before.midi_events


def keyboards_and_ports(now: Telemetry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The connected inputs, parted into keyboards and our own ports, which other programs send to."""
    ports = tuple(name for name in now.midi_inputs if OWN_PORT in name)
    return tuple(name for name in now.midi_inputs if name not in ports), ports
