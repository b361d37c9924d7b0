"""``play``, ``render`` and ``note``: the commands that make sound."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from synth_app.app import paths
from synth_app.app.cli_options import (
    InputFile,
    ModelOption,
    OutputFile,
    PresetOption,
    Provider,
    ProviderOption,
    RateOption,
    between,
    parse_pitch,
    progress_bar,
    require_wav_name,
    say,
)
from synth_app.core.command import COMMAND
from synth_app.core.errors import DeviceError


def play(
    headless: Annotated[bool, typer.Option("--headless", help="Run without the panel.")] = False,
    preset: PresetOption = "",
    model: ModelOption = "",
    midi_in: Annotated[
        list[str] | None,
        typer.Option("--midi-in", help=f"Listen to this MIDI input only; may be given again. See: {COMMAND} devices."),
    ] = None,
    midi_channel: Annotated[
        list[int] | None,
        typer.Option(
            "--midi-channel",
            parser=between("a MIDI channel", 1, 16),
            metavar="NUMBER",
            help="Listen on this MIDI channel (1 to 16) only; may be given again.",
        ),
    ] = None,
    audio_device: Annotated[
        str, typer.Option("--audio-device", help=f"Output to use, by name. See: {COMMAND} devices.")
    ] = "",
    rate: Annotated[
        int,
        typer.Option(
            "--rate",
            parser=between("a sample rate", 8000, 384_000, or_zero=True),
            metavar="HZ",
            help="Sample rate in Hz; 0 is the device's own.",
        ),
    ] = 0,
    block: Annotated[
        int,
        typer.Option(
            "--block",
            parser=between("a block", 16, 16_384, or_zero=True),
            metavar="FRAMES",
            help="Frames in a block; 0 is the server's. Larger is safer, later.",
        ),
    ] = 0,
    provider: ProviderOption = Provider.AUTO,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="WAV", help="Record what is played to this file.")
    ] = None,
    or_demo: Annotated[
        bool,
        typer.Option("--or-demo", help="With nothing to play on or through, play the demo tune to a WAV instead."),
    ] = False,
) -> None:
    """Start the instrument: the panel, your MIDI keyboards, the sound card.

    With a JACK server running and no device named it plays through JACK. The last preset comes back when none is named.
    It prints one "ready" line once it can be played; Ctrl-C or SIGTERM fades out and ends it.
    """
    from synth_app.app.machine import screen_at_hand

    if record is not None:
        require_wav_name(record)
    if not headless and not screen_at_hand():
        say("There is no screen here, so the instrument runs without its panel.")
        headless = True
    if or_demo and (lack := what_is_missing(headless, audio_device)):
        say(lack)
        play_demo(preset, model, provider)
        return
    from synth_app.app.instrument import LiveOptions
    from synth_app.app.live import run
    from synth_app.engine.ports import AudioSettings

    options = LiveOptions(
        preset=preset,
        model=model,
        provider=provider.value,
        audio=AudioSettings(device=audio_device, rate_hz=rate, block_frames=block),
        midi_inputs=tuple(midi_in) if midi_in else None,
        midi_channels=tuple(midi_channel or ()),
        record=record,
        headless=headless,
    )
    raise typer.Exit(run(options))


def render(
    song: Annotated[Path, InputFile],
    out: Annotated[Path, OutputFile],
    preset: PresetOption = "",
    model: ModelOption = "",
    provider: ProviderOption = Provider.AUTO,
    rate: RateOption = 48_000,
) -> None:
    """Play a MIDI file to a WAV, through the same instrument, faster than real time."""
    _render(song, require_wav_name(out), preset, model, provider, rate)


def note(
    out: Annotated[Path, OutputFile],
    pitch: Annotated[str, typer.Option("--pitch", help="MIDI note (60) or name (C4).")] = "C4",
    velocity: Annotated[
        int,
        typer.Option(
            "--velocity",
            parser=between("a velocity", 1, 127),
            metavar="1..127",
            help="Strength of the stroke.",
        ),
    ] = 100,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds",
            parser=between("a length in seconds", 0.05, 600.0),
            metavar="SECONDS",
            help="How long the key is held.",
        ),
    ] = 3.0,
    anchor: Annotated[str, typer.Option("--anchor", "-a", help="Timbre: an anchor of the model, by name.")] = "",
    preset: PresetOption = "",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Timbre: a random one; the same number, the same sound.")
    ] = None,
    model: ModelOption = "",
    provider: ProviderOption = Provider.AUTO,
    rate: RateOption = 48_000,
) -> None:
    """Write a single note to a WAV."""
    if sum([bool(anchor), bool(preset), seed is not None]) > 1:
        raise typer.BadParameter("Name one timbre: --anchor, --preset or --seed.")
    number = parse_pitch(pitch)
    require_wav_name(out)
    from synth_app.app.offline import render_note

    report = render_note(
        out,
        pitch=number,
        velocity=velocity,
        seconds=seconds,
        anchor=anchor,
        preset=preset,
        seed=seed,
        model=model,
        provider=provider.value,
        rate_hz=rate,
    )
    timbre = anchor or preset or ("the default preset" if seed is None else f"draw {seed}")
    level = f"peak {20 * math.log10(report.peak):.1f} dBFS" if report.peak > 0 else "silent"
    typer.echo(
        f"Wrote {out}: note {number} of {timbre}, velocity {velocity}, {report.seconds:.1f} s of sound, {level}."
    )


def what_is_missing(headless: bool, audio_device: str) -> str:
    """One sentence on what keeps the instrument from being played live on this machine, or "".

    A device that was named is not looked for here: opening it says what is wrong with it. Without a MIDI port the
    panel's own keyboard still plays.
    """
    from synth_app.app.machine import audio_outputs, midi_at_hand

    try:
        if not audio_device and not audio_outputs():
            return "There is no sound card (and no JACK server) here."
    except DeviceError as error:
        return str(error)
    if headless and not midi_at_hand().own_ports:
        return "There is no MIDI port here (neither ALSA's sequencer nor a JACK server), and no screen to play on."
    return ""


def play_demo(preset: str, model: str, provider: Provider) -> None:
    """Play the demo tune to a WAV among the player's recordings, and tell where it is."""
    song = paths.bundled(paths.DEMO_TUNE)
    out = paths.recordings_dir() / "demo.wav"
    say("Playing the demo tune (from the prelude of Bach's first cello suite) to a WAV instead ...")
    _render(song, out, preset, model, provider, 48_000)
    typer.echo(f"Play with a keyboard once a sound card and a MIDI port are there; until then, listen to {out}")


def _render(song: Path, out: Path, preset: str, model: str, provider: Provider, rate_hz: int) -> None:
    from synth_app.app.offline import render_midi

    with progress_bar(f"Rendering {song.name}") as progress:
        report = render_midi(
            song, out, preset=preset, model=model, provider=provider.value, rate_hz=rate_hz, progress=progress
        )
    typer.echo(
        f"Wrote {out}: {report.notes} notes, {report.seconds:.1f} s of sound in {report.elapsed_s:.1f} s "
        f"({report.speed:.1f} times faster than real time)."
    )
