"""An endless path through a few frames, that neither loops nor jitters.

The path follows the frames in order, forwards or backwards, and now and then goes on somewhere else: where the frame
that would have come next and the frame that comes instead are alike, and those before them too. That is the idea of
video textures (A. Schödl, R. Szeliski, D. Salesin & I. Essa, "Video Textures", SIGGRAPH 2000), with time's arrow left
free: a sound's steady part, and each partial's step of phase, are the same read backwards.

A node is a frame and a direction. Which jumps are good depends on the frames alone, so it is worked out once; which
one is taken is drawn, and places visited lately are avoided, so that no order of frames comes back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHORTEST_RUN = 6  # frames between jumps, so that the path is made of pieces of the note and not of jumps
_EAGERNESS = 0.3  # chance of a jump, in each frame that offers a good one
_CHOICES = 16  # jumps to draw from
_TOLERANCE = 0.3  # what a jump may cost more than the best, in mean distances between frames
_BOREDOM = 0.3  # what a place costs that was just visited, in the same unit
_FORGET = 0.95  # of that, a frame later


class Wander:
    """Draws the path. Positions are indices into the frames whose distances are given.

    Args:
        distance: how unlike two frames are, ``[frames, frames]``, in units of the mean over all pairs.
        rng: draws the jumps.
    """

    def __init__(self, distance: NDArray[np.float64], rng: np.random.Generator) -> None:
        self._rng = rng
        self._frames = len(distance)
        self.retie(distance)
        self._visited = np.zeros(self._frames)
        self._run = 0
        self.position = self._frames - 1
        self.forward = True

    def retie(self, distance: NDArray[np.float64]) -> None:
        """Go on from the same place among other frames, as many as before."""
        self._costs = _jump_costs(distance)
        best = self._costs.min(axis=1)
        self._tempting = best <= np.median(best[np.isfinite(best)])

    def step(self) -> bool:
        """Go to the next frame; True when it is not the neighbour that would have come next."""
        self._visited *= _FORGET
        self._visited[self.position] += 1.0
        following = self.position + (1 if self.forward else -1)
        inside = 0 <= following < self._frames
        if inside and not self._tempted():
            self.position = following
            self._run += 1
            return False
        self._jump()
        return True

    def natural(self) -> int:
        """The frame that would come next in the present direction, or the last one."""
        return min(max(self.position + (1 if self.forward else -1), 0), self._frames - 1)

    def _tempted(self) -> bool:
        if self._run < _SHORTEST_RUN or not self._tempting[self._node()]:
            return False
        return bool(self._rng.random() < _EAGERNESS)

    def _jump(self) -> None:
        costs = self._costs[self._node()] + _BOREDOM * np.tile(self._neighbourhood(), 2)
        choices = np.argsort(costs)[:_CHOICES]
        chance = np.exp(-(costs[choices] - costs[choices[0]]) / _TOLERANCE)
        target = int(self._rng.choice(choices, p=chance / chance.sum()))
        self.forward, self.position = target < self._frames, target % self._frames
        self._run = 0

    def _node(self) -> int:
        return self.position + (0 if self.forward else self._frames)

    def _neighbourhood(self) -> NDArray[np.float64]:
        """How much has been heard lately of each frame and the two on either side."""
        padded = np.pad(self._visited, 2)
        return np.asarray(sum(padded[k : k + self._frames] for k in range(5)))


def _jump_costs(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost of every jump, ``[2 * frames, 2 * frames]``: forward nodes first, then backward ones.

    From (i, d) to (j, e): how unlike j and the frame after i are, plus how unlike i and the frame before j are.
    Infinite for what is no jump (the neighbourhood of where the path leads anyway) and where no run would follow.
    """
    frames = len(distance)
    index = np.arange(frames)
    costs = np.full((2 * frames, 2 * frames), np.inf)
    for d, rows in ((1, slice(0, frames)), (-1, slice(frames, 2 * frames))):
        after = np.clip(index + d, 0, frames - 1)
        for e, columns in ((1, slice(0, frames)), (-1, slice(frames, 2 * frames))):
            before = index - e
            room = frames - 1 - index if e > 0 else index
            possible = (room >= min(_SHORTEST_RUN, frames // 2 - 1)) & (before >= 0) & (before < frames)
            cost = distance[after] + distance[:, np.clip(before, 0, frames - 1)]
            cost[:, ~possible] = np.inf
            if d == e:
                cost[np.abs(index[None] - after[:, None]) < _SHORTEST_RUN // 2 + 1] = np.inf
            costs[rows, columns] = cost
    return costs
