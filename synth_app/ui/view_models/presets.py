"""The preset browser's thinking: what there is, found by folder, words and stars, and what may be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PyQt6.QtCore import QCoreApplication

from synth_app.core.errors import PresetError, SynthAppError
from synth_app.engine.ports import Instrument
from synth_app.timbre.patch import Patch
from synth_app.ui.view_models.invention import fresh_name

translate = QCoreApplication.translate

PRESET_SUFFIX = ".synthpreset"


@dataclass(frozen=True, slots=True)
class PresetRow:
    """A preset as the browser shows it; ``trouble`` says why it cannot be read, or is empty."""

    name: str
    path: Path
    folder: str
    factory: bool
    favourite: bool = False
    author: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def words(self) -> str:
        """What a search looks through."""
        return " ".join((self.name, self.folder, self.author, self.notes, *self.tags, *self.anchors)).casefold()


class PresetShelf:
    """The presets of an instrument. Files are read when they are new or have changed, never twice."""

    def __init__(self, instrument: Instrument, favourites: frozenset[str] = frozenset()) -> None:
        self._instrument = instrument
        self.favourites = favourites
        self._read: dict[Path, tuple[int, PresetRow]] = {}
        self._rows: list[PresetRow] = []
        self._factory_root = Path()
        self.refresh()

    def refresh(self) -> None:
        """Look at the disk again."""
        found = self._instrument.presets()
        outside = [path.parent for _, path in found if not path.is_relative_to(self._instrument.preset_folder)]
        self._factory_root = min(outside, key=lambda folder: len(folder.parts), default=Path())
        self._rows = [self._row(name, path) for name, path in found]

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder, factory first."""
        return tuple(dict.fromkeys(row.folder for row in self._rows))

    @property
    def own_folders(self) -> tuple[str, ...]:
        """The player's sub-folders, as they are named on disk."""
        root = self._instrument.preset_folder
        inside = (row.path.parent.relative_to(root).as_posix() for row in self._rows if not row.factory)
        return tuple(dict.fromkeys(name for name in inside if name != "."))

    def rows(self, query: str = "", folder: str = "", tag: str = "", only_favourites: bool = False) -> list[PresetRow]:
        """The presets to show; every word of ``query`` must occur somewhere."""
        words = query.casefold().split()
        return [
            row
            for row in self._rows
            if (not folder or row.folder == folder)
            and (not tag or tag in row.tags)
            and (row.favourite or not only_favourites)
            and all(word in row.words for word in words)
        ]

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag that some preset wears."""
        return tuple(sorted({tag for row in self._rows for tag in row.tags}, key=str.casefold))

    def find(self, path: Path) -> PresetRow | None:
        """The row of a file, or ``None``."""
        return next((row for row in self._rows if row.path == path), None)

    def neighbour(self, path: Path | None, step: int, rows: Sequence[PresetRow] | None = None) -> PresetRow | None:
        """The preset before (-1) or after (+1) another, round the end; the first when that one is not there."""
        shown = [row for row in (rows or self._rows) if not row.trouble]
        if not shown:
            return None
        places = [i for i, row in enumerate(shown) if row.path == path]
        return shown[(places[0] + step) % len(shown)] if places else shown[0]

    def toggle_favourite(self, path: Path) -> bool:
        """Star or unstar a preset and return whether it is a favourite now."""
        self.favourites = self.favourites ^ {str(path)}
        starred = str(path) in self.favourites
        self._rows = [replace(row, favourite=starred) if row.path == path else row for row in self._rows]
        return starred

    def rename(self, row: PresetRow, name: str) -> Path:
        """Give one of the player's presets another name, file and all.

        Raises:
            PresetError: a factory preset, an empty or taken name, or the disk refuses.
        """
        self._must_be_own(row)
        wanted = self._must_be_new(name)
        patch = replace(self._instrument.read_preset(row.path), name=wanted)
        target = self._instrument.save_preset(patch, self.path_for(wanted, row.path.parent, row.path.suffix))
        self._instrument.delete_preset(row.path)
        if row.favourite:
            self.favourites = (self.favourites - {str(row.path)}) | {str(target)}
        self.refresh()
        return target

    def duplicate(self, row: PresetRow) -> Path:
        """Copy a preset into the player's own under a new name."""
        patch = self._instrument.read_preset(row.path)
        return self._keep(replace(patch, name=self.free_name(patch.name)))

    def delete(self, row: PresetRow) -> Path:
        """Move one of the player's presets to the bin and return where it lies now."""
        self._must_be_own(row)
        binned = self._instrument.delete_preset(row.path)
        self.refresh()
        return binned

    def restore(self, binned: Path) -> Path:
        """Bring a preset back from the bin."""
        return self.import_file(binned)

    def import_file(self, path: Path) -> Path:
        """Take a file into the player's presets, whatever it is called.

        Raises:
            PresetError: it is no preset.
        """
        patch = self._instrument.read_preset(path)
        return self._keep(replace(patch, name=self.free_name(patch.name)))

    def export_file(self, row: PresetRow, target: Path) -> Path:
        """Write a copy of a preset anywhere."""
        patch = self._instrument.read_preset(row.path)
        return self._instrument.save_preset(patch, target, overwrite=True)

    def free_name(self, wanted: str) -> str:
        """``wanted``, or with a number when another preset has that name."""
        return fresh_name(wanted.strip() or translate("presets", "Untitled"), (row.name for row in self._rows))

    def _keep(self, patch: Patch) -> Path:
        path = self._instrument.save_preset(patch)
        self.refresh()
        return path

    def _must_be_own(self, row: PresetRow) -> None:
        if row.factory:
            raise PresetError(
                translate("presets", "Factory presets stay as they are; duplicate it and change the copy.")
            )

    def _must_be_new(self, name: str) -> str:
        wanted = name.strip()
        if not wanted:
            raise PresetError(translate("presets", "A preset needs a name; type one."))
        if any(row.name.casefold() == wanted.casefold() for row in self._rows):
            raise PresetError(
                translate("presets", "There is a preset named “{0}” already; choose another name.").format(wanted)
            )
        return wanted

    def path_for(self, name: str, folder: Path, suffix: str = PRESET_SUFFIX) -> Path:
        """Where a preset of this name belongs in a folder, with a file name any system takes."""
        safe = "".join(c if c.isalnum() or c in " -_()" else "_" for c in name).strip() or "preset"
        return folder / f"{safe}{suffix}"

    def _row(self, name: str, path: Path) -> PresetRow:
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            changed = 0
        known = self._read.get(path)
        if known is None or known[0] != changed:
            known = (changed, self._describe(name, path))
            self._read[path] = known
        return replace(known[1], favourite=str(path) in self.favourites)

    def _describe(self, name: str, path: Path) -> PresetRow:
        factory = not path.is_relative_to(self._instrument.preset_folder)
        root = self._factory_root if factory else self._instrument.preset_folder
        sub = path.parent.relative_to(root).as_posix() if path.is_relative_to(root) else ""
        home = translate("presets", "Factory") if factory else translate("presets", "My presets")
        folder = home if sub in ("", ".") else f"{home} · {sub}"
        try:
            patch = self._instrument.read_preset(path)
        except SynthAppError as error:
            return PresetRow(name, path, folder, factory, trouble=str(error))
        return PresetRow(
            name=patch.name or name,
            path=path,
            folder=folder,
            factory=factory,
            author=patch.author,
            notes=patch.notes,
            tags=patch.tags,
            anchors=tuple(anchor.name for anchor in patch.anchors),
        )
