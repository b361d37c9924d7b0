"""Telemetry in words: the honest facts of the status line, each with its health and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication

from synth_app.engine.ports import AudioSettings
from synth_app.engine.telemetry import Telemetry

SAFE_BLOCKS = (64, 128, 256, 512, 1024)
COMFORTABLE_LATENCY_MS = 20.0
COMFORTABLE_JITTER_MS = 3.0
OWN_PORT = "synth_app:"


def _tr(text: str) -> str:
    return QCoreApplication.translate("status", text)


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

    def count(name: str) -> int:
        return max(0, getattr(now, name) - getattr(start, name))

    def counted(key: str, label: str, help_text: str) -> Fact:
        number = count(key)
        return Fact(key, label, str(number), "warn" if number else "good", help_text)

    slow = now.latency_ms > COMFORTABLE_LATENCY_MS
    uneven = now.jitter_ms > COMFORTABLE_JITTER_MS
    output = f"{now.rate_hz / 1000:g} kHz · {now.block_frames}" if now.rate_hz else _tr("no output")
    return (
        Fact(
            "latency", _tr("Latency"), f"{now.latency_ms:.1f} ± {now.jitter_ms:.1f} ms",
            "warn" if slow or uneven else "good",
            _tr("From a key's time stamp to its sample's place in the mix, and how much that varies."),
        ),
        counted("xruns", _tr("Xruns"), _tr("Times the sound card ran dry. “Make it safe” takes a larger block.")),
        counted("late", _tr("Late"), _tr("Commands that reached the mixer after their time.")),
        counted("bridged", _tr("Bridged"), _tr("Notes that began on a neighbour while their own was rendered.")),
        Fact("queue", _tr("Queue"), str(now.queue), "plain", _tr("Notes waiting to be rendered.")),
        Fact("warm", _tr("Warm"), f"{100 * now.warm:.0f} %", "plain",
             _tr("Share of the keyboard that sounds at once with the present timbre.")),
        Fact("voices", _tr("Voices"), str(len(now.voices)), "plain", _tr("Notes sounding now.")),
        Fact("load", _tr("Load"), f"{100 * now.cpu_load:.0f} %", "warn" if now.cpu_load > 0.7 else "plain",
             _tr("How much of its time the mixer needs.")),
        Fact("output", _tr("Output"), output, "plain" if now.rate_hz else "warn",
             now.audio_device or _tr("No audio device is open.")),
        Fact("provider", _tr("Generator"), now.provider or "–", "plain", now.model),
    )  # fmt: skip


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
