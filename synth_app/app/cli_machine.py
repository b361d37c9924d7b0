"""``devices``, ``doctor`` and ``bench``: what this machine has, what it lacks, and how fast it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synth_app.app.cli_options import ModelOption
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
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write the table as a page to this file.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only see that everything can be measured, in less than a minute.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Run this scenario only; may be given again.")
    ] = None,
    model: ModelOption = "",
    memory_minutes: Annotated[
        float,
        typer.Option(
            "--memory-minutes", min=0.0, help="How long to play at random (10, or 60 for an hour); 0 is one minute."
        ),
    ] = 0.0,
) -> None:
    """Measure the callback, the generator, start-up, latency, jitter and memory on this machine.

    Takes some twelve minutes; --quick and --only take less. A scenario that needs what is not at hand (a JACK server,
    CUDA) says so in the table.
    """
    from synth_app.app.bench.run import run_bench

    run_bench(
        json_file,
        markdown_file=markdown_file,
        quick=quick,
        only=only or (),
        model=model,
        memory_minutes=memory_minutes,
    )
