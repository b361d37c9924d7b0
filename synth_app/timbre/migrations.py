"""Old presets, made new: one pure step for each version that ever was, applied in turn.

A preset says which version of the format it is written in; one that does not is version 0, the draft from before the
format was numbered. Steps are never edited once released: a new version adds one at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from synth_app.core.errors import PresetError
from synth_app.core.units import gain_to_db

CURRENT_VERSION = 1
Document = dict[str, Any]


def migrate(document: Mapping[str, Any]) -> Document:
    """The document as the current version writes it; the one given is left as it was.

    Raises:
        PresetError: of a version that this program does not know, or too broken to be carried over.
    """
    version = document.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version <= CURRENT_VERSION:
        raise PresetError(
            f"it is written in version {version!r} of the preset format and this program reads up to version "
            f"{CURRENT_VERSION}; update synth_app to open it"
        )
    migrated = dict(document)
    for step in _STEPS[version:]:
        try:
            migrated = step(migrated)
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
            raise PresetError("it is too damaged to be brought up to date") from error
    return migrated


def _from_draft(document: Document) -> Document:
    """0 to 1: timbres were a table of weights without places, the level was a linear ``gain``, parameters lay loose."""
    timbres = dict(document["timbres"])
    turn = 2.0 * math.pi / max(1, len(timbres))
    anchors = [
        {
            "name": name,
            "x": round(0.5 + 0.4 * math.sin(index * turn), 4),
            "y": round(0.5 - 0.4 * math.cos(index * turn), 4),
            "weight": weight,
        }
        for index, (name, weight) in enumerate(timbres.items())
    ]
    params: Document = {key: document[key] for key in ("attack_ms", "release_ms") if key in document}
    if "gain" in document:
        gain = float(document["gain"])
        if not gain >= 0.0:
            raise ValueError("a gain is 0 or more")
        params["volume_db"] = round(max(-60.0, gain_to_db(gain)), 3)
    kept: Document = {key: document[key] for key in ("name", "author", "notes", "tags") if key in document}
    return {"format": "synth_app preset", "version": 1, **kept, "params": params, "anchors": anchors}


_STEPS: tuple[Callable[[Document], Document], ...] = (_from_draft,)
