"""The preset format: what a patch looks like as a document of tables, lists, texts and numbers.

Reading is strict. A preset comes from anyone, so unknown fields, wrong types, values out of range and numbers that are
none are refused with one sentence that names the place. The arithmetic of files lives elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synth_app.core.errors import PresetError, SettingsError
from synth_app.core.params import check_param, default_patch_params
from synth_app.timbre.migrations import CURRENT_VERSION, migrate
from synth_app.timbre.patch import SCENES, Patch, PatchAnchor

FORMAT = "synth_app preset"
MAX_ANCHORS = 32
MAX_LATENT = 4096

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Word = Annotated[str, Field(min_length=1, max_length=80)]
_Scene = Annotated[dict[_Word, _Share], Field(max_length=MAX_ANCHORS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LayerSchema(_Strict):
    """A latent that the preset carries itself, for strokes around one velocity."""

    velocity: Annotated[int, Field(ge=1, le=127)]
    latent: Annotated[list[float], Field(min_length=1, max_length=MAX_LATENT)]

    @field_validator("latent")
    @classmethod
    def _fits_single_precision(cls, values: list[float]) -> list[float]:
        if max(map(abs, values)) > 1e6:
            raise ValueError("latent values must lie within a million")
        return values


class AnchorSchema(_Strict):
    """An anchor by name, its place on the pad and its weight; with layers it needs no model that names it."""

    name: _Word
    x: _Share = 0.5
    y: _Share = 0.5
    weight: _Share = 0.0
    layers: Annotated[list[LayerSchema], Field(max_length=16)] = []


class PresetSchema(_Strict):
    """A whole preset."""

    format: Literal["synth_app preset"]
    version: Literal[1]
    name: _Word
    author: Annotated[str, Field(max_length=200)] = ""
    notes: Annotated[str, Field(max_length=10_000)] = ""
    tags: Annotated[list[_Word], Field(max_length=64)] = []
    model: Annotated[str, Field(max_length=200)] = ""
    params: dict[str, float] = {}
    anchors: Annotated[list[AnchorSchema], Field(min_length=1, max_length=MAX_ANCHORS)]
    scenes: Annotated[list[_Scene], Field(max_length=SCENES)] = []

    @field_validator("params")
    @classmethod
    def _known_and_in_range(cls, values: dict[str, float]) -> dict[str, float]:
        checked: dict[str, float] = {}
        for name, value in values.items():
            if name not in default_patch_params():
                raise ValueError(f"there is no patch parameter named {name!r}")
            try:
                checked[name] = check_param(name, value)
            except SettingsError as error:
                raise ValueError(str(error).rstrip(".")) from error
        return checked


def patch_from_document(document: Mapping[str, Any]) -> Patch:
    """The patch that a document describes, of any known version.

    Raises:
        PresetError: it does not; the message is a clause ("anchors.2.x: ...") for the sentence that names the file.
    """
    if document.get("format", FORMAT) != FORMAT or not ("anchors" in document or "timbres" in document):
        raise PresetError("it is not a synth_app preset")
    try:
        preset = PresetSchema.model_validate(migrate(document))
    except ValidationError as error:
        raise PresetError(_first_problem(error)) from error
    return Patch(
        name=preset.name,
        anchors=tuple(_anchor(anchor) for anchor in preset.anchors),
        params={**default_patch_params(), **preset.params},
        model=preset.model,
        author=preset.author,
        notes=preset.notes,
        tags=tuple(preset.tags),
        scenes=tuple(tuple((name, float(weight)) for name, weight in scene.items()) for scene in preset.scenes),
    )


def document_from_patch(patch: Patch) -> dict[str, Any]:
    """The document of a patch, in the current version. Reading it gives the same patch again.

    Latents are written with the nine digits that tell any two single-precision numbers apart.

    Raises:
        PresetError: the patch breaks the format's rules (no name, a weight out of range, a NaN).
    """
    document: dict[str, Any] = {"format": FORMAT, "version": CURRENT_VERSION, "name": patch.name}
    for key, value in (("author", patch.author), ("model", patch.model), ("notes", patch.notes)):
        if value:
            document[key] = value
    if patch.tags:
        document["tags"] = list(patch.tags)
    document["params"] = {name: float(value) for name, value in patch.params.items()}
    document["anchors"] = [_anchor_document(anchor) for anchor in patch.anchors]
    if patch.scenes:
        document["scenes"] = [{name: float(weight) for name, weight in scene} for scene in patch.scenes]
    try:
        PresetSchema.model_validate(document)
    except ValidationError as error:
        raise PresetError(_first_problem(error)) from error
    return document


def _anchor(anchor: AnchorSchema) -> PatchAnchor:
    latents = tuple(
        (layer.velocity, tuple(float(np.float32(value)) for value in layer.latent)) for layer in anchor.layers
    )
    return PatchAnchor(anchor.name, float(anchor.x), float(anchor.y), float(anchor.weight), latents)


def _anchor_document(anchor: PatchAnchor) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": anchor.name,
        "x": float(anchor.x),
        "y": float(anchor.y),
        "weight": float(anchor.weight),
    }
    if anchor.latents:
        document["layers"] = [
            {"velocity": velocity, "latent": [float(f"{value:.9g}") for value in latent]}
            for velocity, latent in anchor.latents
        ]
    return document


def _first_problem(error: ValidationError) -> str:
    """The first thing wrong, and where."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}" if place else message
