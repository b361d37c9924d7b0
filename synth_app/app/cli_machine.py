"""``devices``, ``doctor`` and ``bench``: what this machine has, what it lacks, and how fast it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synth_app.core.errors import DeviceError


def devices() -> None:
    """List the audio outputs and MIDI inputs by the names that "play" takes."""
    from synth_app.app import machine

    typer.secho("Audio outputs (--audio-device)", bold=True)
    try:
        outputs = machine.audio_outputs()
    except DeviceError as error:
        outputs = ()
        typer.echo(f"  none: {error}")
    else:
        if not outputs:
            typer.echo("  none")
    for device in outputs:
        chosen = "  (taken unless you name another)" if device.is_default else ""
        typer.echo(f"  {device.name}  {device.channels} channels, {device.default_rate_hz} Hz{chosen}")
    midi = machine.midi_at_hand()
    typer.secho("MIDI inputs (--midi-in)", bold=True)
    for name in midi.inputs or ("none",):
        typer.echo(f"  {name}")
    typer.secho("The instrument's own MIDI port while it plays", bold=True)
    for name in midi.own_ports or ("none: no MIDI system runs here",):
        typer.echo(f"  {name}")


def doctor() -> None:
    """Say what is missing on this machine, and the command that mends each thing.

    Exit code 0 when the instrument can be played, 1 when something keeps it from playing.
    """
    from synth_app.app.doctor import State, examine

    colours = {State.OK: typer.colors.GREEN, State.WARN: typer.colors.YELLOW, State.FAIL: typer.colors.RED}
    failed = False
    for finding in examine():
        failed = failed or finding.state is State.FAIL
        typer.echo(
            f"{typer.style(f'{finding.state:<4}', fg=colours[finding.state])}  {finding.topic}: {finding.detail}"
        )
        if finding.cure:
            typer.echo(f"      -> {finding.cure}")
    raise typer.Exit(1 if failed else 0)


def bench(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures to this file, for comparing.")
    ] = None,
) -> None:
    """Measure the callback, the generator, start-up, latency and jitter on this machine. Takes a minute or two."""
    from synth_app.app.bench import run_bench

    run_bench(json_file)
