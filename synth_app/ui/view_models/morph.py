"""The morph as the panel thinks of it: a handle among anchors, and one weight for each.

Places are (x, y) in 0..1 with y pointing down, weights sum to 1. The pad asks "which weights belong to this place?";
the sliders ask the way back, "which place shows these weights?".
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synth_app.timbre.pad import pad_position, pad_weights
from synth_app.timbre.weights import normalise

Point = tuple[float, float]
Weights = tuple[float, ...]

SNAP_RADIUS = 0.045
TRAIL_SECONDS = 2.4
TRAIL_STEP_S = 0.06  # no finer: each step is a line to draw in every frame


def clamp_point(point: Point) -> Point:
    """The nearest place on the pad."""
    return min(1.0, max(0.0, point[0])), min(1.0, max(0.0, point[1]))


def weights_at(handle: Point, places: Sequence[Point]) -> Weights:
    """Weights of anchors at ``places`` for a handle; none without anchors."""
    return pad_weights(handle[0], handle[1], places) if places else ()


def handle_for(weights: Sequence[float], places: Sequence[Point]) -> Point:
    """Where the handle is shown for weights that did not come from the pad: the anchors' centre of weight."""
    return pad_position(weights, places) if places else (0.5, 0.5)


def with_weight(weights: Sequence[float], index: int, value: float, locked: Iterable[int] = ()) -> Weights:
    """Set one weight and let the unlocked others share what is left, in their present proportion.

    Locked weights keep their value, so the one being set can take at most what they leave.
    """
    shares = list(normalise(weights))
    held = {i for i in locked if i != index and 0 <= i < len(shares)}
    room = max(0.0, 1.0 - sum(shares[i] for i in held))
    others = [i for i in range(len(shares)) if i != index and i not in held]
    chosen = min(room, max(0.0, value)) if others else room
    rest, present = room - chosen, sum(shares[i] for i in others)
    for i in others:
        shares[i] = rest * shares[i] / present if present > 1e-9 else rest / len(others)
    shares[index] = chosen
    return tuple(shares)


def constrained(target: Point, start: Point, lock_x: bool, lock_y: bool) -> Point:
    """``target`` on the pad, keeping the locked coordinates of where the gesture started."""
    x, y = clamp_point(target)
    return (start[0] if lock_x else x), (start[1] if lock_y else y)


def snapped(point: Point, places: Sequence[Point], radius: float = SNAP_RADIUS) -> Point:
    """The nearest anchor's place when it lies within ``radius``, else the point itself."""
    near = min(places, key=lambda place: math.dist(place, point), default=None)
    return near if near is not None and math.dist(near, point) <= radius else point


def free_place(places: Sequence[Point]) -> Point:
    """A place for one more anchor: on a ring round the middle, as far from the others as it can be."""
    angles = [math.tau * k / 24 - 2.2 for k in range(24)]
    ring = [(0.5 + 0.36 * math.cos(angle), 0.5 + 0.36 * math.sin(angle)) for angle in angles]
    if not places:
        return ring[0]
    return max(ring, key=lambda spot: min(math.dist(spot, place) for place in places))


def labels_apart(
    marks: Sequence[Point], sizes: Sequence[Point], field: Point, reach: float, edge: float
) -> list[tuple[float, float, float]]:
    """Where names of marks stand so that they cover neither one another nor a mark, each as (left, top, covered).

    A name stands below its mark, or else above, to the right or to the left of it, whichever covers least;
    ``covered`` is the share of it that lies over something all the same, 0..1.

    Args:
        marks: their centres in pixels. sizes: of the names. field: width and height to stay in.
        reach: from a mark's centre to where its name may begin. edge: free pixels along the field's sides.
    """
    discs = [(x - reach, y - reach, 2 * reach, 2 * reach) for x, y in marks]
    placed: list[tuple[float, float, float, float]] = []
    found = []
    for index, ((x, y), (width, height)) in enumerate(zip(marks, sizes, strict=True)):
        spots = (
            (x - width / 2, y + reach),
            (x - width / 2, y - reach - height),
            (x + reach, y - height / 2),
            (x - reach - width, y - height / 2),
        )
        others = [*placed, *(disc for i, disc in enumerate(discs) if i != index)]
        tries = []
        for left, top in spots:
            box = (
                max(edge, min(left, field[0] - edge - width)), max(0.0, min(top, field[1] - height)), width, height
            )  # fmt: skip
            tries.append((sum(_shared(box, other) for other in others), box))
        covered, box = min(tries, key=lambda each: round(each[0]))  # the first of those that cover as little
        placed.append(box)
        found.append((box[0], box[1], min(1.0, covered / max(1.0, width * height))))
    return found


def _shared(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes (left, top, width, height) have in common."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)


def blended(one: Sequence[float], other: Sequence[float], position: float) -> Weights:
    """The crossfader: weights between two scenes, ``position`` 0..1."""
    t = min(1.0, max(0.0, position))
    return normalise([(1.0 - t) * a + t * b for a, b in zip(one, other, strict=True)])


def path_between(position: float, count: int) -> tuple[int, int, float]:
    """Where a sweep through ``count`` (2 or more) stations is: the one before, the one after, and the share between."""
    along = min(1.0, max(0.0, position)) * (count - 1)
    before = min(int(along), count - 2)
    return before, before + 1, along - before


class Trail:
    """Where the handle has been lately: (age in 0..1, x, y), oldest first."""

    def __init__(self, seconds: float = TRAIL_SECONDS) -> None:
        self._seconds = seconds
        self._points: deque[tuple[float, float, float]] = deque(maxlen=240)

    def add(self, now_s: float, point: Point) -> None:
        """Remember a place; one that did not move is not worth a point."""
        if self._points and math.dist(self._points[-1][1:], point) < 1e-3:
            return
        if len(self._points) > 1 and now_s - self._points[-2][0] < TRAIL_STEP_S:
            self._points.pop()
        self._points.append((now_s, *point))

    def points(self, now_s: float) -> list[tuple[float, float, float]]:
        """What is left of the trail at a moment."""
        while self._points and now_s - self._points[0][0] > self._seconds:
            self._points.popleft()
        return [((now_s - t) / self._seconds, x, y) for t, x, y in self._points]

    def clear(self) -> None:
        """Forget it, after a jump that was no gesture."""
        self._points.clear()


@dataclass(frozen=True, slots=True)
class Gesture:
    """A recorded way of the handle: (seconds from its start, place), and how long it lasted."""

    steps: tuple[tuple[float, Point], ...]
    seconds: float

    def at(self, elapsed_s: float) -> Point:
        """Where the handle is when the gesture loops, between recorded places in a straight line."""
        t = elapsed_s % self.seconds if self.seconds > 0.0 else 0.0
        before = self.steps[0]
        for step in self.steps:
            if step[0] >= t:
                span = step[0] - before[0]
                share = (t - before[0]) / span if span > 0.0 else 1.0
                return tuple(a + share * (b - a) for a, b in zip(before[1], step[1], strict=True))  # type: ignore[return-value]
            before = step
        return before[1]


class GestureRecorder:
    """Records the handle's way and loops it: idle, armed (waits for the hand), recording, looping."""

    def __init__(self) -> None:
        self.state = "idle"
        self.gesture: Gesture | None = None
        self._steps: list[tuple[float, Point]] = []
        self._start_s = 0.0

    def arm(self) -> None:
        """Record the next gesture, from its first touch to its release."""
        self.state, self._steps = "armed", []

    def moved(self, now_s: float, point: Point) -> None:
        """The hand moved the handle; starts or goes on with the recording, and takes over from a loop."""
        if self.state == "armed":
            self.state, self._start_s = "recording", now_s
        if self.state == "recording":
            self._steps.append((now_s - self._start_s, point))
        elif self.state == "looping":
            self.state = "idle"

    def released(self, now_s: float) -> None:
        """The hand let go: what was recorded starts to loop."""
        if self.state != "recording":
            return
        if len(self._steps) < 2:
            self.state = "idle"
            return
        self.gesture = Gesture(tuple(self._steps), now_s - self._start_s)
        self.state, self._start_s = "looping", now_s

    def play(self, now_s: float) -> None:
        """Loop the last gesture again."""
        if self.gesture is not None:
            self.state, self._start_s = "looping", now_s

    def stop(self) -> None:
        """Leave the handle where it is."""
        self.state = "idle"

    def position(self, now_s: float) -> Point | None:
        """Where the loop has the handle now, or ``None`` when no loop runs."""
        if self.state != "looping" or self.gesture is None:
            return None
        return self.gesture.at(now_s - self._start_s)
