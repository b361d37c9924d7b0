"""``dataset``, ``train``, ``evaluate`` and ``export``: the way from recordings of instruments to a model to play."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Literal

import typer

from synth_app.app.cli_options import progress_bar, say
from synth_app.core.errors import SettingsError

RunOption = Annotated[Path, typer.Option("--run", help="Folder of the run: its checkpoints and its log.")]
DatasetOption = Annotated[Path, typer.Option("--dataset", help="Folder that the command dataset made.")]
Paths = list[Path] | None

_DATASET = Path("runs/dataset")
_RUN = Path("runs/train")


def dataset(
    soundfont: Annotated[
        Paths, typer.Option("--soundfont", "-s", help="A .sf2 or .sf3 to render notes from; may be given again.")
    ] = None,
    nsynth: Annotated[Paths, typer.Option("--nsynth", help="An unpacked NSynth folder; may be given again.")] = None,
    waves: Annotated[
        Paths, typer.Option("--waves", help="A folder of WAVs named by pitch, or of such folders; may be given again.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to fill; an unfinished build is gone on with.")] = _DATASET,
    every_preset: Annotated[
        bool,
        typer.Option("--every-preset", help="Take every melodic preset of the soundfonts, not the curated choice."),
    ] = False,
    made_up: Annotated[
        bool, typer.Option("--made-up", "--procedural", help="Add instruments that are calculated, not recorded.")
    ] = False,
    velocity: Annotated[
        list[int] | None,
        typer.Option("--velocity", min=1, max=127, help="A stroke to play (45 and 112 if not given); up to four."),
    ] = None,
    instruments: Annotated[
        int | None,
        typer.Option(
            "--instruments", min=1, help="Train on so many, from all families alike; later, list more of them."
        ),
    ] = None,
    of: Annotated[
        Path | None, typer.Option("--of", help="Render nothing: list instruments of this finished data set.")
    ] = None,
    keep_tuning: Annotated[
        bool, typer.Option("--keep-tuning", help="Leave a soundfont's notes as far out of tune as they are.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Draws the notes that training never sees.")] = 1,
) -> None:
    """Make a data set: notes of many instruments, in tune and of one loudness.

    On Debian, free soundfonts come in the packages musescore-general-soundfont-small and fluid-soundfont-gm.
    """
    need("fluidsynth", "scipy")
    from synth_app.training.data import BuildOptions, build_dataset, take_from

    if of is not None:
        built = take_from(of, out, instruments or 0)
    else:
        choice: Literal["curated", "all"] = "all" if every_preset else "curated"
        options = BuildOptions(
            out_dir=out,
            soundfonts=tuple(soundfont or ()),
            choice=choice,
            nsynth=tuple(nsynth or ()),
            wave_folders=tuple(waves or ()),
            procedural=made_up,
            velocities=tuple(sorted(velocity)) if velocity else (45, 112),
            keep_tuning=keep_tuning,
            instruments=instruments or 0,
            seed=seed,
        )
        with progress_bar("Rendering notes") as progress:
            built = build_dataset(options, lambda _name, done, total: progress(done / max(total, 1)))
    typer.echo(f"{out} holds {built.summary}. Next: synth-app train --dataset {out}")


def train(
    dataset: DatasetOption = _DATASET,
    run: RunOption = _RUN,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            help="default, heads, coarse, net, adversarial, paper, or a TOML or JSON file (docs/training.md). "
            "Not needed to go on with a run.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--start", help="Begin a new run with this model's weights and timbres; the plan is then net."),
    ] = None,
    width: Annotated[
        Literal["half", "full"] | None, typer.Option("--width", help="Channels: half of GANSynth's, or all of them.")
    ] = None,
    representation: Annotated[
        Literal["mel-centred", "mel-magenta", "if", "phase"] | None,
        typer.Option("--representation", help="What is painted; the instrument plays the two with mel."),
    ] = None,
    low_resolution: Annotated[
        bool, typer.Option("--low-resolution", help="256 frames of 512 bins, not 128 of 1024; for comparisons.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="auto takes a CUDA device if there is one.")
    ] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Processor threads to use (CPU).")] = 2,
    pictures: Annotated[
        bool,
        typer.Option("--pictures/--no-pictures", help="Make all pictures first (0.5 MB a note on disk), or as needed."),
    ] = True,
    compile_loops: Annotated[
        bool,
        typer.Option("--compile/--no-compile", help="Fuse loops with a C++ compiler: minutes at first, faster after."),
    ] = True,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=1, help="Pause after so many notes; the same command goes on from there."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="One seed gives one result (1 if not given).")] = None,
) -> None:
    """Train a generator, or go on from the last checkpoint of a run that was interrupted.

    A run remembers its plan: to go on with it, name the run and nothing else. To go on from a finished model, name it
    with --start. Training runs at low priority; Ctrl-C pauses it and keeps what was learnt.
    """
    need("torch")
    from synth_app.training.choose import Choice, choose_config, choose_device
    from synth_app.training.loop import TrainOptions
    from synth_app.training.loop import train as run_training

    choice = Choice(plan, start, width, representation, low_resolution, seed)
    config = choose_config(choice, run)
    place = choose_device(device)
    options = TrainOptions(
        dataset=dataset,
        run=run,
        threads=threads,
        samples=samples,
        start=start,
        device=place,
        pictures=pictures,
        compile=compile_loops,
    )
    say(f"Training on {dataset} ({place}); checkpoints and log in {run}.")
    goal = min(config.samples, samples or config.samples)
    with progress_bar(f"{goal} notes") as progress:
        checkpoint = run_training(config, options, lambda line: progress(line["samples"] / goal))
    typer.echo(f"Wrote {checkpoint}. Next: synth-app export --run {run} --out models/NAME")


def fit(
    waves: Annotated[Path, typer.Argument(help="A folder of WAVs named by pitch, or of such folders.")],
    model: Annotated[Path, typer.Option("--model", help="The model's folder; its model.toml gets the new anchors.")],
    steps: Annotated[int, typer.Option("--steps", min=1, help="Of the descent.")] = 200,
    notes: Annotated[int, typer.Option("--notes", min=1, help="To listen to, spread over the range.")] = 8,
) -> None:
    """Find recorded sounds in a model that was never trained on them, and add them to its anchors."""
    need("torch", "scipy")
    from synth_app.training.fit import FitOptions, add_recordings

    for name, found in add_recordings(model, waves, FitOptions(steps=steps, notes=notes)).items():
        typer.echo(f"{name}: loss {found.before:.4f} at the nearest anchor, {found.after:.4f} after {steps} steps.")


def evaluate(
    run: Annotated[Path, typer.Option("--run", help="Folder of a run, or of an exported model.")] = _RUN,
    dataset: DatasetOption = _DATASET,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report and its pictures.")] = Path("runs/report"),
    notes: Annotated[int, typer.Option("--notes", min=8, help="Notes to measure, of each kind.")] = 500,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Random timbres to measure.")] = 500,
    column: Annotated[
        Literal["default", "full"] | None,
        typer.Option("--bar", help="Which bar to hold it against; by its width if not named."),
    ] = None,
) -> None:
    """Measure a generator on real notes and hold it against the bar: pitch, likeness, liveliness, variety."""
    need("torch", "scipy", "matplotlib")
    from synth_app.training.evaluate import EvaluateOptions, evaluate_model
    from synth_app.training.evaluation.measure import Amounts
    from synth_app.training.evaluation.report import bar_lines

    options = EvaluateOptions(Amounts(notes, draws), column)
    with progress_bar("Listening to notes") as progress:
        report = evaluate_model(run, dataset, out, options, progress)
    typer.echo("\n".join(bar_lines(report)))
    typer.echo(f"Wrote {out / 'report.md'}.")


def export(
    run: RunOption = _RUN,
    dataset: DatasetOption = _DATASET,
    out: Annotated[Path, typer.Option("--out", help="The model's folder.")] = Path("models/mine"),
    report: Annotated[
        Path | None, typer.Option("--report", help="Folder that evaluate wrote: its table goes on the model's card.")
    ] = None,
) -> None:
    """Write a trained generator as a model folder that the instrument plays."""
    need("torch")
    from synth_app.training.export import export_model

    export_model(run, dataset, out, report)
    typer.echo(f"Wrote {out}. Play it: synth-app play --model {out}")


def need(*modules: str) -> None:
    """See that the trainer's own libraries are there.

    Raises:
        SettingsError: one is missing; the message says how to install it.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise SettingsError(
            f"Making models needs {' and '.join(missing)}, which is not installed: run pip install 'synth-app[train]', "
            "or pip install '.[train]' in a checkout."
        )
