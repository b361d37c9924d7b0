"""``presets`` and ``models``: what there is to play, looked at from the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from synth_app.app.cli_options import show_path
from synth_app.core.errors import PresetError

PresetArgument = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset's name or its file.")]


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
    for title, factory, folder in (("Factory", True, store.factory_dir), ("Your own", False, store.user_dir)):
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
    return typer.Typer(no_args_is_help=True, help="List, show, verify, import and fetch models (generators).")
