"""The command line ``synth-app``. Every command is a thin door: it reads options, calls one function, says how it went.

What a command needs is imported when it runs, so that ``--help`` and mistyped options answer at once.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from synth_app import __version__
from synth_app.app import cli_library, cli_machine, cli_play, cli_training
from synth_app.app.paths import ensure_numba_cache
from synth_app.core.errors import SynthAppError

PLAYING = "Play"
LOOKING = "See what is here"
TRAINING = "Make a model of your own"

_HELP = (
    "A live MIDI instrument whose voice is a GANSynth generator.\n\n"
    'Without a command it starts the instrument, as "synth-app play" does: plug in a MIDI keyboard, choose timbres, '
    "morph between them, and play."
)


def main() -> None:
    """Run the command line. A mistake the player can mend costs one sentence on stderr and exit code 2."""
    ensure_numba_cache()
    try:
        build()(_with_command(sys.argv[1:]))
    except SynthAppError as error:
        typer.secho(" ".join(str(error).split()), err=True, fg=typer.colors.RED)
        raise SystemExit(2) from None


def _with_command(words: list[str]) -> list[str]:
    """``synth-app --record take.wav`` means ``synth-app play --record take.wav``."""
    own = {"-h", "--help", "-v", "--verbose", "--version"}
    return ["play", *words] if words and words[0].startswith("-") and words[0] not in own else words


def build() -> typer.Typer:
    """The whole command line, as a Typer application."""
    app = typer.Typer(
        name="synth-app",
        help=_HELP,
        add_completion=False,
        pretty_exceptions_enable=False,  # a bug keeps its plain traceback
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    app.command("play", rich_help_panel=PLAYING)(cli_play.play)
    app.command("render", rich_help_panel=PLAYING)(cli_play.render)
    app.command("note", rich_help_panel=PLAYING)(cli_play.note)
    app.add_typer(cli_library.presets_app(), name="presets", rich_help_panel=LOOKING)
    app.add_typer(cli_library.models_app(), name="models", rich_help_panel=LOOKING)
    app.command("devices", rich_help_panel=LOOKING)(cli_machine.devices)
    app.command("doctor", rich_help_panel=LOOKING)(cli_machine.doctor)
    app.command("bench", rich_help_panel=LOOKING)(cli_machine.bench)
    app.command("dataset", rich_help_panel=TRAINING)(cli_training.dataset)
    app.command("train", rich_help_panel=TRAINING)(cli_training.train)
    app.command("fit", rich_help_panel=TRAINING)(cli_training.fit)
    app.command("evaluate", rich_help_panel=TRAINING)(cli_training.evaluate)
    app.command("export", rich_help_panel=TRAINING)(cli_training.export)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"synth-app {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what happens.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    if context.invoked_subcommand is None:
        cli_play.play()
