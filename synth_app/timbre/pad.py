"""The morph pad: a place on a plane as weights over anchors that lie anywhere on it.

Natural-neighbour coordinates (R. Sibson, "A vector identity for the Dirichlet tessellation", 1980): put the handle
among the anchors and ask from whose territory it would take its own. They are 1 on an anchor and continuous everywhere,
only the anchors around the handle take part, and the weighted mean of the anchors' places is the handle's own place
again, which is how sliders move the pad. The plane is cut off far outside the pad, so that the handle may leave the
anchors' hull; inside it that costs the last of these properties at most 0.003 of the pad.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth_app.timbre.weights import Weights, normalise

Point = tuple[float, float]
Polygon = list[Point]

_SAME_PLACE = 1e-6
_PLANE: tuple[Point, ...] = ((-20.0, -20.0), (21.0, -20.0), (21.0, 21.0), (-20.0, 21.0))


def pad_weights(x: float, y: float, anchors: Sequence[Point]) -> Weights:
    """Weights of the anchors for a handle at ``(x, y)``.

    Args:
        x, y: the handle, 0..1 on the pad (values outside are brought to its edge).
        anchors: at least one place, 0..1; anchors in the same place share its weight equally.

    Returns:
        One weight for each anchor, none negative, sum 1.
    """
    handle = (min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))
    places, members = _group(anchors)
    shares = _natural_neighbours(handle, places)
    weights = [0.0] * len(anchors)
    for share, indices in zip(shares, members, strict=True):
        for index in indices:
            weights[index] = share / len(indices)
    return normalise(weights)


def pad_position(weights: Sequence[float], anchors: Sequence[Point]) -> Point:
    """Where the handle belongs for given weights: the weighted mean of the anchors' places."""
    shares = normalise(weights)
    return (
        math.fsum(w * place[0] for w, place in zip(shares, anchors, strict=True)),
        math.fsum(w * place[1] for w, place in zip(shares, anchors, strict=True)),
    )


def _group(anchors: Sequence[Point]) -> tuple[list[Point], list[list[int]]]:
    """Distinct places, and which anchors lie at each."""
    places: list[Point] = []
    members: list[list[int]] = []
    for index, place in enumerate(anchors):
        for other, indices in zip(places, members, strict=True):
            if math.dist(place, other) < _SAME_PLACE:
                indices.append(index)
                break
        else:
            places.append((float(place[0]), float(place[1])))
            members.append([index])
    return places, members


def _natural_neighbours(handle: Point, places: list[Point]) -> list[float]:
    """Area that a cell around ``handle`` would take from each place's Voronoi cell."""
    for index, place in enumerate(places):
        if math.dist(handle, place) < _SAME_PLACE:
            return [1.0 if other == index else 0.0 for other in range(len(places))]
    cell: Polygon = list(_PLANE)
    for place in places:
        cell = _nearer(cell, handle, place)
    areas = []
    for index, place in enumerate(places):
        taken = cell
        for other, rival in enumerate(places):
            if other != index and taken:
                taken = _nearer(taken, place, rival)
        areas.append(_area(taken))
    return areas


def _nearer(polygon: Polygon, keep: Point, away: Point) -> Polygon:
    """The part of a convex polygon that lies nearer to ``keep`` than to ``away`` (Sutherland-Hodgman, one edge)."""
    normal = (away[0] - keep[0], away[1] - keep[1])
    offset = 0.5 * (away[0] ** 2 + away[1] ** 2 - keep[0] ** 2 - keep[1] ** 2)
    sides = [normal[0] * p[0] + normal[1] * p[1] - offset for p in polygon]
    kept: Polygon = []
    for index, (point, side) in enumerate(zip(polygon, sides, strict=True)):
        following, next_side = polygon[(index + 1) % len(polygon)], sides[(index + 1) % len(polygon)]
        if side <= 0.0:
            kept.append(point)
        if (side < 0.0 < next_side) or (next_side < 0.0 < side):
            share = side / (side - next_side)
            kept.append((point[0] + share * (following[0] - point[0]), point[1] + share * (following[1] - point[1])))
    return kept


def _area(polygon: Polygon) -> float:
    """Area of a simple polygon (the shoelace formula)."""
    if len(polygon) < 3:
        return 0.0
    turned = polygon[1:] + polygon[:1]
    return abs(math.fsum(a[0] * b[1] - b[0] * a[1] for a, b in zip(polygon, turned, strict=True))) / 2.0
