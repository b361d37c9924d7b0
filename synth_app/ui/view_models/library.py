"""The timbre browser's thinking: which of the model's anchors to show, in which order, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication

from synth_app.timbre.anchors import Anchor
from synth_app.ui.view_models.invention import similarity

translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort. ``key`` is "name", "family" or a descriptor's name; ``falling`` puts large values first."""

    key: str
    label: str
    falling: bool = False


def orders(anchors: Sequence[Anchor]) -> tuple[Order, ...]:
    """The orders that make sense for these anchors: by name, and by each descriptor that some anchor has."""
    present = {name for anchor in anchors for name in anchor.descriptors}
    known = (
        Order("brightness_hz", translate("library", "Brightest"), True),
        Order("brightness_hz", translate("library", "Darkest")),
        Order("attack_ms", translate("library", "Softest attack"), True),
        Order("attack_ms", translate("library", "Sharpest attack")),
        Order("noisiness", translate("library", "Noisiest"), True),
        Order("noisiness", translate("library", "Purest")),
        Order("sustain_db", translate("library", "Longest"), True),
    )
    return (
        Order("family", translate("library", "By family")),
        Order("name", translate("library", "By name")),
        *(o for o in known if o.key in present),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """An anchor as the browser shows it; ``bars`` are (name, share 0..1) of its descriptors among all anchors."""

    anchor: Anchor
    favourite: bool
    words: str
    bars: tuple[tuple[str, float], ...]


class TimbreLibrary:
    """The model's anchors with the player's favourites and tags.

    Args:
        anchors: the model's. favourites: anchor names. tags: the player's words by anchor name.
    """

    def __init__(
        self,
        anchors: Sequence[Anchor],
        favourites: frozenset[str] = frozenset(),
        tags: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.anchors = tuple(anchors)
        self.favourites = favourites
        self.tags = dict(tags or {})
        self._ranks = {name: _ranks(self.anchors, name) for a in self.anchors for name in a.descriptors}
        self._rows = {anchor.name: self._row(anchor) for anchor in self.anchors}

    def find(self, name: str) -> Anchor | None:
        """The anchor of that name, or ``None``."""
        row = self._rows.get(name)
        return row.anchor if row else None

    @property
    def families(self) -> tuple[str, ...]:
        """Every family, in the model's order."""
        return tuple(dict.fromkeys(anchor.family for anchor in self.anchors))

    def toggle_favourite(self, name: str) -> bool:
        """Star or unstar an anchor and return whether it is a favourite now."""
        self.favourites = self.favourites ^ {name}
        self._rows[name] = self._row(self._rows[name].anchor)
        return name in self.favourites

    def set_tags(self, name: str, words: tuple[str, ...]) -> None:
        """Give an anchor the player's own tags."""
        self.tags[name] = tuple(word for word in words if word)
        self._rows[name] = self._row(self._rows[name].anchor)

    def rows(
        self,
        query: str = "",
        family: str = "",
        order: Order | None = None,
        only_favourites: bool = False,
        like: str = "",
    ) -> list[Row]:
        """The rows to show: every word of ``query`` must occur; ``like`` puts what resembles that anchor first."""
        words = query.casefold().split()
        rows = [
            row
            for row in self._rows.values()
            if (not family or row.anchor.family == family)
            and (row.favourite or not only_favourites)
            and all(word in row.words for word in words)
        ]
        model = self.find(like) if like else None
        if model is not None:
            return sorted(rows, key=lambda row: -self._likeness(model, row.anchor))
        rows.sort(key=lambda row: _sort_key(row.anchor, order, self.families))
        if words:  # who searches for a flute means the one that is called so
            rows.sort(key=lambda row: not all(word in row.anchor.name.casefold() for word in words))
        return rows

    def _likeness(self, model: Anchor, other: Anchor) -> float:
        """Nearness in what is heard (ranks of descriptors) and in latent space."""
        shared = [
            abs(ranks[model.name] - ranks[other.name])
            for ranks in self._ranks.values()
            if model.name in ranks and other.name in ranks
        ]
        heard = 1.0 - sum(shared) / len(shared) if shared else 0.0
        return heard + similarity(model, other) + (0.25 if model.family == other.family else 0.0)

    def _row(self, anchor: Anchor) -> Row:
        own = self.tags.get(anchor.name, ())
        words = " ".join((anchor.name, anchor.family, *anchor.tags, *own, *self._descriptive(anchor))).casefold()
        bars = tuple((name, self._ranks[name][anchor.name]) for name in anchor.descriptors if name in self._ranks)
        return Row(anchor, anchor.name in self.favourites, words, bars)

    def _descriptive(self, anchor: Anchor) -> list[str]:
        """Words for the outer thirds of each descriptor, so that "bright" finds what is bright."""
        poles = {
            "brightness_hz": ("dark", "bright"),
            "attack_ms": ("sharp attack", "soft attack"),
            "noisiness": ("pure", "noisy"),
            "sustain_db": ("short", "sustained"),
        }
        words = []
        for name, (low, high) in poles.items():
            rank = self._ranks.get(name, {}).get(anchor.name, 0.5)
            if rank <= 1 / 3:
                words.append(low)
            elif rank >= 2 / 3:
                words.append(high)
        return words


def _sort_key(anchor: Anchor, order: Order | None, families: Sequence[str]) -> tuple[float, str]:
    if order is None or order.key == "family":
        return float(families.index(anchor.family)), anchor.name.casefold()
    if order.key == "name":
        return 0.0, anchor.name.casefold()
    value = anchor.descriptors.get(order.key)
    if value is None:
        return float("inf"), anchor.name.casefold()
    return (-value if order.falling else value), anchor.name.casefold()


def _ranks(anchors: Sequence[Anchor], descriptor: str) -> dict[str, float]:
    """Share of the way from the lowest to the highest anchor, by rank, so that one outlier does not squash the rest."""
    have = sorted((a for a in anchors if descriptor in a.descriptors), key=lambda a: a.descriptors[descriptor])
    return {anchor.name: i / max(1, len(have) - 1) for i, anchor in enumerate(have)}
