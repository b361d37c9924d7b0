"""Standard MIDI files as scores: every event with its time, ready to be played by the same performer as a keyboard."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mido

from synth_app.core.errors import FileFormatError
from synth_app.core.events import ControlChange, Event, NoteOff, NoteOn
from synth_app.midi.decoder import decode

MAX_BYTES = 32_000_000
MAX_HOURS = 6

_DEFAULT_TEMPO_US = 500_000
_SUSTAIN, _SOSTENUTO = 64, 66
_Timed = tuple[int, Any]
# Everything that mido and struct are seen to raise on broken files; KeySignatureError is an Exception of its own.
_BROKEN = (EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, struct.error)


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of music.

    Attributes:
        title: what the file calls itself, or its name.
        events: in order of time, which starts at 0. Notes and pedals that the file leaves on end with it.
        end_ns: the end of the last track.
    """

    title: str
    events: tuple[Event, ...]
    end_ns: int


def read_midi_file(path: Path) -> Score:
    """Read a Standard MIDI file: formats 0 and 1, any tempo map, metrical or SMPTE time, RIFF wrapping, foreign chunks.

    Raises:
        FileFormatError: not readable, not a MIDI file, damaged, asynchronous (format 2), empty or absurdly long.
    """
    midi = _load(path)
    if midi.type == 2:
        raise FileFormatError(
            f"{path.name} holds independent patterns (format 2); save it as format 0 or 1 to play it."
        )
    timed = _merge(midi.tracks)
    seconds = _clock(timed, midi.ticks_per_beat, path)
    if seconds and seconds[-1] > MAX_HOURS * 3600:
        raise FileFormatError(f"{path.name} lasts more than {MAX_HOURS} hours, so its timing must be damaged.")
    events: list[Event] = []
    for (_, message), second in zip(timed, seconds, strict=True):
        event = None if message.is_meta else decode(bytes(message.bytes()), round(second * 1e9), path.name)
        if event is not None:
            events.append(event)
    if not any(isinstance(event, NoteOn) for event in events):
        raise FileFormatError(f"{path.name} holds no notes to play.")
    end_ns = round(seconds[-1] * 1e9)
    ordered = list(_ends_first(events))
    return Score(_title(midi, path), (*ordered, *_left_on(ordered, end_ns)), end_ns)


def _load(path: Path) -> Any:
    """The file, parsed by mido.

    Raises:
        FileFormatError: see :func:`read_midi_file`.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise FileFormatError(f"{path.name} is too large for a MIDI file ({size} bytes).")
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"The MIDI file {path} cannot be read: {error.strerror or error}.") from error
    chunks = _chunks(data)
    if not chunks or chunks[0][0] != b"MThd" or len(chunks[0][1]) < 6:
        raise FileFormatError(f"{path.name} is not a MIDI file.")
    if len(chunks) < 2:
        raise FileFormatError(f"{path.name} is a damaged MIDI file: it holds no track.")
    try:
        return mido.MidiFile(file=io.BytesIO(_without_foreign_chunks(chunks)), clip=True)
    except (*_BROKEN, mido.KeySignatureError) as error:
        reason = str(error).strip().rstrip(".") or "it ends too early"
        raise FileFormatError(f"{path.name} is a damaged MIDI file: {reason}.") from error


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(name, body) of every chunk, looking inside a RIFF wrapping; the last body may be cut off."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        start = data.find(b"MThd")
        data = data[start:] if start >= 0 else b""
    found = []
    offset = 0
    while offset + 8 <= len(data):
        (size,) = struct.unpack_from(">L", data, offset + 4)
        found.append((data[offset : offset + 4], data[offset + 8 : offset + 8 + size]))
        if found[-1][0] == b"MTrk" and len(found[-1][1]) < size:
            found[-1] = (b"cut ", data[offset : offset + 8] + found[-1][1])
        offset += 8 + size
    return found


def _without_foreign_chunks(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The file with its header and tracks only, and a header that counts them rightly.

    A track that the file's end cuts off keeps its own header, so that the parser meets the end and says so.
    """
    tracks = [body if name == b"cut " else name + struct.pack(">L", len(body)) + body
              for name, body in chunks[1:] if name in (b"MTrk", b"cut ")]  # fmt: skip
    header = chunks[0][1]
    header = header[:2] + struct.pack(">H", len(tracks)) + header[4:6]
    return b"MThd" + struct.pack(">L", 6) + header + b"".join(tracks)


def _merge(tracks: Iterable[Iterable[Any]]) -> list[_Timed]:
    """All tracks' messages with their absolute ticks, in order; at one tick the earlier track comes first."""
    timed: list[_Timed] = []
    for track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            timed.append((tick, message))
    return sorted(timed, key=lambda item: item[0])


def _clock(timed: list[_Timed], division: int, path: Path) -> list[float]:
    """Seconds of every message: by the tempo map, or by SMPTE frames when the division is negative."""
    if division == 0:
        raise FileFormatError(f"{path.name} is a damaged MIDI file: it has no time division.")
    frames_per_second = 30000.0 / 1001.0 if division >> 8 == -29 else float(-(division >> 8))
    smpte = 1.0 / (frames_per_second * max(1, division & 0xFF)) if division < 0 else 0.0
    per_tick = smpte or _DEFAULT_TEMPO_US * 1e-6 / division
    now, last_tick = 0.0, 0
    seconds = []
    for tick, message in timed:
        now += (tick - last_tick) * per_tick
        last_tick = tick
        seconds.append(now)
        if message.type == "set_tempo" and not smpte:
            per_tick = message.tempo * 1e-6 / division
    return seconds


def _ends_first(events: list[Event]) -> Iterator[Event]:
    """The events with, at any one moment, the ends of notes that were sounding before it in front.

    Tracks that share a channel, and careless writers, put a repeated note's start before its former end; the end would
    then silence the new note.
    """
    sounding: Counter[tuple[int, int]] = Counter()
    start = 0
    while start < len(events):
        stop = start
        while stop < len(events) and events[stop].time_ns == events[start].time_ns:
            stop += 1
        yield from _one_moment(events[start:stop], sounding)
        start = stop


def _one_moment(events: list[Event], sounding: Counter[tuple[int, int]]) -> list[Event]:
    """Simultaneous events in order; ``sounding`` counts notes on before and is brought up to date."""
    before = sounding.copy()
    early: list[Event] = []
    later: list[Event] = []
    for event in events:
        ended = (event.channel, event.pitch) if isinstance(event, NoteOff) else None
        if ended is not None and before[ended] > 0:
            before[ended] -= 1
            early.append(event)
        else:
            later.append(event)
    ordered = early + later
    for event in ordered:
        if isinstance(event, NoteOn):
            sounding[event.channel, event.pitch] += 1
        elif isinstance(event, NoteOff) and sounding[event.channel, event.pitch] > 0:
            sounding[event.channel, event.pitch] -= 1
    return ordered


def _left_on(events: list[Event], end_ns: int) -> Iterator[Event]:
    """The note-offs and pedal-ups that the file forgot."""
    notes: dict[tuple[int, int], NoteOn] = {}
    pedals: dict[tuple[int, int], ControlChange] = {}
    for event in events:
        match event:
            case NoteOn():
                notes[event.channel, event.pitch] = event
            case NoteOff():
                notes.pop((event.channel, event.pitch), None)
            case ControlChange(controller=controller) if controller in (_SUSTAIN, _SOSTENUTO):
                pedals[event.channel, controller] = event
    for note in notes.values():
        yield NoteOff(end_ns, note.channel, note.pitch, 0, note.source)
    for pedal in pedals.values():
        if pedal.value >= 64:
            yield replace(pedal, time_ns=end_ns, value=0)


def _title(midi: Any, path: Path) -> str:
    """The first track's name, or the file's."""
    first = midi.tracks[0] if midi.tracks else ()
    names = (message.name.strip() for message in first if message.type == "track_name")
    return next((name for name in names if name), path.stem)
