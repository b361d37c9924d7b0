"""Options that several commands share, and the few ways in which they speak to the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from synth_app.core.command import COMMAND
from synth_app.core.errors import FileFormatError

Number = TypeVar("Number", int, float)


def between(what: str, lowest: Number, highest: Number, *, or_zero: bool = False) -> Callable[[str], Number]:
    """A reader of numbers between two ends, which refuses others in words that name what they stand for.

    Args:
        what: "a velocity", "a sample rate".
        lowest, highest: the ends; whole numbers are for whole numbers.
        or_zero: whether 0 is as good: "what is usual".
    """
    kind = type(lowest)

    def read(text: str) -> Number:
        try:
            number = kind(text)
        except ValueError:
            number = None
        usual = or_zero and number == 0
        if number is None or not (usual or lowest <= number <= highest):  # a NaN lies nowhere
            zero = "0 or " if or_zero else ""
            raise typer.BadParameter(f"{text!r} is not {what}; say {zero}one from {lowest} to {highest}.")
        return number

    return read


class Provider(StrEnum):
    """What runs the generator."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    CUDA_GRAPH = "cuda-graph"
    TENSORRT = "tensorrt"
    OPENVINO = "openvino"
    OPENVINO_F32 = "openvino-f32"


PresetOption = Annotated[
    str,
    typer.Option(
        "--preset", "-p", help=f"A preset's name (see: {COMMAND} presets list) or its file.", metavar="NAME|FILE"
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model", "-m", help=f"A model's name (see: {COMMAND} models list) or its folder.", metavar="NAME|DIR"
    ),
]
ProviderOption = Annotated[
    Provider, typer.Option("--provider", help="What runs the generator; auto takes CUDA where it works.")
]
RateOption = Annotated[
    int,
    typer.Option("--rate", parser=between("a sample rate", 8000, 384_000), metavar="HZ", help="Sample rate in Hz."),
]
InputFile = typer.Argument(exists=False, dir_okay=False, metavar="SONG.mid", help="A standard MIDI file.")
OutputFile = typer.Argument(metavar="OUT.wav", help="The WAV to write; an older one of this name is replaced.")


def say(text: str) -> None:
    """A word to the person at the terminal that is not the command's result: stderr."""
    typer.echo(text, err=True)


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr, when that is a terminal; call what it yields with the share done, 0 to 1."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=1.0)
        yield lambda share: progress.update(task, completed=share)


def parse_pitch(text: str) -> int:
    """A MIDI note from ``60`` or from a name such as ``C4`` (middle C), ``F#3``, ``Bb2``.

    Raises:
        typer.BadParameter: it is neither, or lies outside 0 to 127.
    """
    steps = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
    word = text.strip().lower()
    try:
        if word[:1] in steps:
            name = word[1:].lstrip("#b") or "?"
            accidentals = word[1 : len(word) - len(name)]
            pitch = steps[word[0]] + accidentals.count("#") - accidentals.count("b") + 12 * (int(name) + 1)
        else:
            pitch = int(word)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no pitch; say a MIDI note such as 60 or a name such as C4.") from None
    if not 0 <= pitch <= 127:
        raise typer.BadParameter(f"{text!r} lies outside MIDI's notes 0 to 127 (C-1 to G9).")
    return pitch


def require_wav_name(path: Path) -> Path:
    """``path``, which must be called what will be in it.

    Raises:
        FileFormatError: its ending promises another kind of file.
    """
    if path.suffix.lower() not in ("", ".wav", ".wave"):
        raise FileFormatError(
            f"{path.name} would hold a WAV whatever it is called; name it {path.with_suffix('.wav').name} "
            "and convert it afterwards."
        )
    return path


def show_path(path: Path) -> str:
    """A path as the player would write it: under ``~`` where that is shorter."""
    with contextlib.suppress(ValueError, RuntimeError):
        return f"~/{path.resolve().relative_to(Path.home())}"
    return str(path)
