"""``presets`` and ``models``: what there is to play, looked at from the terminal."""

from __future__ import annotations

import typer


def presets_app() -> typer.Typer:
    """The commands under ``presets``."""
    return typer.Typer(no_args_is_help=True, help="List, show and validate presets (sounds).")


def models_app() -> typer.Typer:
    """The commands under ``models``."""
    return typer.Typer(no_args_is_help=True, help="List, show, verify, import and fetch models (generators).")
