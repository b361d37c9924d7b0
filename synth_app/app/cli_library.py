"""``presets`` and ``models``: what there is to play, looked at from the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from synth_app.app.cli_options import progress_bar, say, show_path
from synth_app.core.command import COMMAND
from synth_app.core.errors import ModelError, PresetError

if TYPE_CHECKING:
    from synth_app.adapters.magenta_checkpoint import ImportReport

PresetArgument = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset's name or its file.")]
ModelArgument = Annotated[
    str, typer.Argument(metavar="[NAME|DIR]", help="A model's name or folder; the default one if none.")
]
Replace = Annotated[bool, typer.Option("--replace", help="Put it in the place of a model of the same name.")]


def presets_app() -> typer.Typer:
    """The commands under ``presets``."""
    app = typer.Typer(no_args_is_help=True, help="List, show and validate presets (sounds).")
    app.command("list")(list_presets)
    app.command("show")(show_preset)
    app.command("validate")(validate_presets)
    return app


def list_presets() -> None:
    """List the presets: the ones that came with the program, then your own."""
    from synth_app.adapters.preset_store import PresetStore

    store = PresetStore()
    entries = store.list_presets()
    for title, factory, folder in (("Factory", True, store.factory_dir), ("My presets", False, store.user_dir)):
        typer.secho(f"{title}  ({show_path(folder)})", bold=True)
        group = [entry for entry in entries if entry.factory is factory]
        for entry in group:
            words = entry.problem or ", ".join(entry.tags)
            place = f"{entry.folder}/{entry.name}" if entry.folder else entry.name
            typer.echo(f"  {place:<28}  {words}".rstrip())
        if not group:
            typer.echo("  none")


def show_preset(preset: PresetArgument) -> None:
    """Show what is in a preset: its anchors with their weights, and its parameters."""
    from synth_app.adapters.preset_store import PresetStore

    store = PresetStore()
    path = store.find(preset)
    patch = store.load(path)
    typer.secho(patch.name, bold=True)
    for label, value in (
        ("file", show_path(path)),
        ("model", patch.model),
        ("by", patch.author),
        ("notes", patch.notes),
    ):
        if value:
            typer.echo(f"  {label:<8}{value}")
    typer.secho("Anchors", bold=True)
    for anchor in patch.anchors:
        carried = "  (its latents are in the preset)" if anchor.latents else ""
        typer.echo(f"  {anchor.name:<28}weight {anchor.weight:.2f}  at ({anchor.x:.2f}, {anchor.y:.2f}){carried}")
    typer.secho("Parameters", bold=True)
    for name, number in sorted(patch.params.items()):
        typer.echo(f"  {name:<28}{number:g}")


def validate_presets(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FILE]...", help="Which; all of them if none.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model they are to play on.", metavar="NAME|DIR")
    ] = "",
) -> None:
    """Read presets and see that the model has what they ask for. Exit code 2 when one does not pass."""
    from synth_app.adapters.preset_store import PresetStore
    from synth_app.app.library import Library

    store = PresetStore()
    chosen = [store.find(name) for name in files] if files else [entry.path for entry in store.list_presets()]
    wrong = 0
    with Library(model, "cpu") as library:
        for path in chosen:
            try:
                library.palette(store.load(path))
                typer.echo(f"ok    {show_path(path)}")
            except PresetError as error:
                wrong += 1
                typer.echo(f"wrong {show_path(path)}: {error}")
    if wrong:
        raise PresetError(f"{wrong} of {len(chosen)} presets do not pass.")


def models_app() -> typer.Typer:
    """The commands under ``models``."""
    app = typer.Typer(no_args_is_help=True, help="List, show, verify, import and fetch models (generators).")
    app.command("list")(list_models)
    app.command("show")(show_model)
    app.command("verify")(verify_models)
    app.command("import")(import_model)
    app.command("fetch")(fetch_model)
    return app


def list_models() -> None:
    """List the models at hand by the names that --model takes."""
    from synth_app.adapters import model_store

    entries = model_store.list_models()
    for entry in entries:
        words = entry.problem
        if entry.manifest is not None:
            words = f"{len(entry.manifest.anchors)} anchors  {entry.manifest.description}".rstrip()
        typer.echo(f"{entry.name:<20}  {words}  ({show_path(entry.directory)})")
    if not entries:
        typer.echo("none; the built-in partials play until there is one")


def show_model(model: ModelArgument = "") -> None:
    """Show a model: what it is, what it learned from, and its anchors."""
    from synth_app.adapters.model_manifest import read_manifest
    from synth_app.adapters.model_store import require_model

    directory = require_model(model)
    manifest = read_manifest(directory)
    typer.secho(manifest.name, bold=True)
    size_mb = (
        (directory / manifest.graph.file).stat().st_size / 1e6 if (directory / manifest.graph.file).exists() else 0.0
    )
    for label, value in (
        ("about", manifest.description),
        ("folder", show_path(directory)),
        ("graph", f"{manifest.graph.file}, {size_mb:.1f} MB, weights in {manifest.graph.precision}"),
        ("pitches", f"{manifest.lowest_pitch} to {manifest.highest_pitch}"),
        ("phase", manifest.phase_convention),
        ("licence", manifest.licence),
        ("thanks to", manifest.attribution),
    ):
        if value:
            typer.echo(f"  {label:<11}{value}")
    families: dict[str, list[str]] = {}
    for anchor in manifest.anchors:
        families.setdefault(anchor.family, []).append(anchor.name)
    typer.secho(f"Anchors ({len(manifest.anchors)})", bold=True)
    for family, names in sorted(families.items()):
        typer.echo(f"  {family}: {', '.join(sorted(names))}")


def verify_models(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|DIR]...", help="Which; all of them if none.")
    ] = None,
) -> None:
    """Prove models whole: checksum, schema, graph and the level of one note. Exit code 2 when one does not pass."""
    from synth_app.adapters import model_store

    chosen = models or [entry.name for entry in model_store.list_models()]
    wrong = 0
    for name in chosen:
        try:
            typer.echo(f"ok    {model_store.verify_model(name).sentence}")
        except ModelError as error:
            wrong += 1
            typer.echo(f"wrong {error}")
    if wrong:
        raise ModelError(f"{wrong} of {len(chosen)} models do not pass.")


def import_model(
    checkpoint: Annotated[
        str, typer.Argument(metavar="PATH|URL", help="A GANSynth checkpoint: a folder, a zip or an address.")
    ],
    name: Annotated[str, typer.Option("--name", help="What to call the model; its own name if none.")] = "",
    replace: Replace = False,
) -> None:
    """Turn one of Magenta's GANSynth checkpoints into a model. TensorFlow is not needed."""
    from synth_app.adapters.magenta_checkpoint import import_checkpoint
    from synth_app.adapters.model_store import user_models_dir

    name = name or _plain_name(checkpoint)
    with _byte_bar(name) as progress:
        report = import_checkpoint(checkpoint, user_models_dir() / name, name, progress, overwrite=replace)
    _tell(report)


def fetch_model(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Which; lists what there is if none.")] = "",
    replace: Replace = False,
) -> None:
    """Download one of Magenta's published generators and make it a model."""
    from synth_app.adapters.magenta_checkpoint import fetch_model as fetch
    from synth_app.adapters.magenta_fetch import ARCHIVES

    if not name:
        for known, address in ARCHIVES.items():
            typer.echo(f"{known:<18}{address}")
        return
    with _byte_bar(name) as progress:
        report = fetch(name, progress=progress, overwrite=replace)
    _tell(report)


@contextlib.contextmanager
def _byte_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    with progress_bar(f"Downloading {name}") as progress:
        yield lambda have, total: progress(have / total if total else 0.0)


def _tell(report: ImportReport) -> None:
    for warning in report.warnings:
        say(warning)
    if report.sha256:
        say(f"SHA-256 of the archive: {report.sha256}")
    name = report.directory.name
    typer.echo(f"Wrote {show_path(report.directory)}. Play it: {COMMAND} play --model {name}")


def _plain_name(checkpoint: str) -> str:
    """A model name from a path or an address."""
    stem = checkpoint.rstrip("/").rsplit("/", 1)[-1].removesuffix(".zip")
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in stem).strip("_") or "imported"
