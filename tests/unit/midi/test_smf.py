"""Standard MIDI files: time, tracks, oddities, and everything that can be wrong with them."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from synth_app.core.errors import FileFormatError
from synth_app.core.events import ControlChange, NoteOff, NoteOn
from synth_app.midi.smf import MAX_BYTES, read_midi_file

MS = 1_000_000
END = b"\x00\xff\x2f\x00"


def vlq(value: int) -> bytes:
    out = bytes([value & 0x7F])
    while value := value >> 7:
        out = bytes([0x80 | (value & 0x7F)]) + out
    return out


def at(delta: int, *message: int) -> bytes:
    return vlq(delta) + bytes(message)


def meta(delta: int, kind: int, data: bytes) -> bytes:
    return vlq(delta) + bytes([0xFF, kind]) + vlq(len(data)) + data


def tempo(delta: int, us: int) -> bytes:
    return meta(delta, 0x51, us.to_bytes(3, "big"))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">L", len(body)) + body


def midi(*tracks: bytes, kind: int = 1, division: int = 480, count: int | None = None) -> bytes:
    header = struct.pack(">HHH", kind, len(tracks) if count is None else count, division & 0xFFFF)
    return chunk(b"MThd", header) + b"".join(chunk(b"MTrk", track) for track in tracks)


@pytest.fixture
def read(tmp_path: Path):
    def read_bytes(data: bytes, name: str = "song.mid"):
        path = tmp_path / name
        path.write_bytes(data)
        return read_midi_file(path)

    return read_bytes


NOTE = at(0, 0x90, 60, 100) + at(480, 0x80, 60, 0) + END


def test_a_note_of_a_beat_lasts_half_a_second_by_default(read):
    score = read(midi(NOTE, kind=0))
    assert score.events == (NoteOn(0, 0, 60, 100, "song.mid"), NoteOff(500 * MS, 0, 60, 0, "song.mid"))
    assert score.end_ns == 500 * MS and score.title == "song"


def test_the_tempo_map_of_the_first_track_holds_for_all(read):
    conductor = tempo(0, 1_000_000) + tempo(480, 250_000) + END
    notes = at(480, 0x90, 60, 100) + at(480, 0x90, 60, 0) + END
    assert [event.time_ns for event in read(midi(conductor, notes)).events] == [1000 * MS, 1250 * MS]


def test_a_tempo_change_within_a_note(read):
    conductor = tempo(0, 500_000) + tempo(240, 1_000_000) + END
    score = read(midi(conductor, NOTE))
    assert score.events[1].time_ns == 750 * MS


@pytest.mark.parametrize(
    ("fps", "ticks", "expected_ms"), [(-25, 40, 480), (-24, 20, 1000), (-30, 80, 200), (-29, 100, 160.16)]
)
def test_smpte_time_ignores_tempo(read, fps, ticks, expected_ms):
    score = read(midi(tempo(0, 9_999_999) + NOTE, division=(fps << 8) | ticks))
    assert score.events[1].time_ns == pytest.approx(expected_ms * MS, abs=2)


def test_running_status_and_velocity_zero(read):
    track = bytes.fromhex("00 90 3C 64 30 3C 00 00 3E 64 30 3E 00") + END
    kinds = [(type(event), event.pitch) for event in read(midi(track)).events]
    assert kinds == [(NoteOn, 60), (NoteOff, 60), (NoteOn, 62), (NoteOff, 62)]


def test_tracks_are_merged_in_order_of_time(read):
    left = at(0, 0x90, 40, 1) + at(960, 0x80, 40, 0) + END
    right = at(480, 0x91, 72, 1) + at(960, 0x81, 72, 0) + END
    score = read(midi(left, right))
    assert [(e.time_ns // MS, e.channel) for e in score.events] == [(0, 0), (500, 1), (1000, 0), (1500, 1)]
    assert score.end_ns == 1500 * MS


def test_controllers_programs_bends_and_resets_are_kept(read):
    track = at(0, 0xB0, 7, 90) + at(0, 0xC0, 5) + at(0, 0xE0, 0, 64) + bytes.fromhex("00 F0 05 7E 7F 09 01 F7") + NOTE
    kinds = [type(event).__name__ for event in read(midi(track)).events]
    assert kinds == ["ControlChange", "ProgramChange", "PitchBend", "SystemReset", "NoteOn", "NoteOff"]


def test_a_repeated_note_whose_end_comes_after_its_next_start_still_sounds(read):
    first = at(0, 0x90, 60, 1) + at(480, 0x80, 60, 0) + END
    second = at(480, 0x90, 60, 2) + at(480, 0x80, 60, 0) + END
    kinds = [type(event) for event in read(midi(second, first)).events]
    assert kinds == [NoteOn, NoteOff, NoteOn, NoteOff]


def test_a_note_without_length_keeps_its_order(read):
    track = at(0, 0x90, 60, 1) + at(0, 0x80, 60, 0) + at(480, 0x90, 62, 1) + at(10, 0x80, 62, 0) + END
    assert [type(event) for event in read(midi(track)).events] == [NoteOn, NoteOff, NoteOn, NoteOff]


def test_notes_and_pedals_left_on_end_with_the_file(read):
    track = (
        at(0, 0xB0, 64, 127) + at(0, 0x90, 60, 1) + at(0, 0x90, 64, 1) + at(480, 0x80, 64, 0) + at(480, 0xFF, 0x2F, 0)
    )
    score = read(midi(track))
    assert score.events[-2:] == (
        NoteOff(1000 * MS, 0, 60, 0, "song.mid"),
        ControlChange(1000 * MS, 0, 64, 0, "song.mid"),
    )
    assert score.end_ns == 1000 * MS


def test_the_title_is_the_first_track_name(read):
    assert read(midi(meta(0, 3, b"  Prelude ") + NOTE)).title == "Prelude"
    assert read(midi(meta(0, 3, b"") + NOTE), "my song.mid").title == "my song"


def test_a_missing_end_of_track_and_wrong_track_count_are_forgiven(read):
    assert len(read(midi(NOTE[: -len(END)], count=7)).events) == 2


def test_foreign_chunks_are_skipped(read):
    data = midi(NOTE, count=1)
    header, track = data[:14], data[14:]
    assert len(read(header + chunk(b"XFIH", b"karaoke") + track + chunk(b"XFKM", b"")).events) == 2


def test_a_riff_wrapping_is_unwrapped(read):
    inner = chunk(b"data", midi(NOTE, kind=0))
    body = b"RMID" + b"data" + struct.pack("<L", len(inner) - 8) + inner[8:]
    assert len(read(b"RIFF" + struct.pack("<L", len(body)) + body).events) == 2


def test_a_longer_header_is_allowed(read):
    data = chunk(b"MThd", struct.pack(">HHH", 0, 1, 480) + b"more") + chunk(b"MTrk", NOTE)
    assert len(read(data).events) == 2


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a MIDI file"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "is not a MIDI file"),
        (b"MThd\x00\x00\x00\x02\x00\x00", "is not a MIDI file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "is not a MIDI file"),
        (midi(NOTE)[:-9], "damaged"),
        (midi(NOTE)[:30], "damaged"),
        (midi(bytes.fromhex("00 3C 64")), "damaged"),
        (midi(bytes.fromhex("00 F4")), "damaged"),
        (midi(NOTE, division=0), "no time division"),
        (midi(NOTE, kind=2), "format 2"),
        (midi(END), "holds no notes"),
        (midi(), "holds no track"),
        (b"MThd garbage, not midi", "holds no track"),
        (midi(at(0, 0x90, 60, 1) + at(0x0FFFFFFF, 0x80, 60, 0) + END), "more than 6 hours"),
    ],
)
def test_each_fault_is_one_clear_sentence(read, data, reason):
    with pytest.raises(FileFormatError, match=reason) as error:
        read(data)
    message = str(error.value)
    assert "song.mid" in message and message.endswith(".") and "\n" not in message


def test_a_missing_file_and_a_folder_are_one_sentence_each(tmp_path):
    for path in (tmp_path / "none.mid", tmp_path):
        with pytest.raises(FileFormatError, match="cannot be read"):
            read_midi_file(path)


def test_a_huge_file_is_not_even_read(tmp_path):
    path = tmp_path / "huge.mid"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(FileFormatError, match="too large"):
        read_midi_file(path)


def test_damaged_files_never_raise_anything_else(tmp_path):
    """Two thousand files, each with a few bytes changed, cut or repeated at random."""
    rng = random.Random(11)
    whole = midi(
        meta(0, 3, b"song") + tempo(0, 400_000) + meta(0, 0x58, b"\x04\x02\x18\x08") + meta(0, 0x59, b"\x00\x00") + END,
        at(0, 0xC0, 3) + at(0, 0xB0, 64, 127) + bytes.fromhex("00 F0 05 7E 7F 09 01 F7") + NOTE,
    )
    path = tmp_path / "song.mid"
    read_count = 0
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[place] = rng.randrange(256)
                case 1:
                    del data[place : place + rng.randint(1, 9)]
                case 2:
                    data[place:place] = data[place : place + rng.randint(1, 9)]
                case _:
                    del data[place:]
            if not data:
                break
        path.write_bytes(bytes(data))
        try:
            score = read_midi_file(path)
        except FileFormatError as error:
            assert str(error).endswith(".") and "\n" not in str(error)
        else:
            read_count += 1
            times = [event.time_ns for event in score.events]
            assert times == sorted(times) and times[-1] <= score.end_ns
    assert read_count > 100
