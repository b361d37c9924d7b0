"""The path through a few frames."""

import numpy as np
import pytest

from synth_app.dsp.wander import Wander


def _distances(frames: int, period: float) -> np.ndarray:
    """Frames on a helix: alike where a period brings them back, and slowly changing."""
    angle = 2.0 * np.pi * np.arange(frames) / period
    rng = np.random.default_rng(1)
    slow, noise = 0.01 * np.arange(frames), 0.1 * rng.standard_normal(frames)
    place = np.stack([np.cos(angle), np.sin(angle), slow, noise], axis=1)
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    return np.asarray(distance / distance.mean())


def _walk(wander: Wander, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = []
    for _ in range(count):
        jumped = wander.step()
        rows.append((wander.position if wander.forward else -1 - wander.position, jumped))
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@pytest.mark.parametrize("frames", [8, 13, 56])
def test_stays_inside_and_moves_by_single_frames_between_jumps(frames: int) -> None:
    wander = Wander(_distances(frames, 5.7), np.random.default_rng(2))
    before = frames - 1
    for _ in range(3000):
        natural = wander.natural()
        jumped = wander.step()
        assert 0 <= wander.position < frames
        if not jumped:
            assert wander.position == natural
            assert abs(wander.position - before) == 1
        before = wander.position


def test_no_order_of_frames_comes_back() -> None:
    path, _ = _walk(Wander(_distances(56, 5.7), np.random.default_rng(3)), 4000)
    pieces = {tuple(path[at : at + 48]) for at in range(len(path) - 48)}
    assert len(pieces) == len(path) - 48


def test_every_frame_is_visited_both_ways() -> None:
    path, jumps = _walk(Wander(_distances(56, 5.7), np.random.default_rng(4)), 4000)
    assert set(range(1, 55)) <= set(path[path >= 0])
    assert set(range(1, 55)) <= set(-1 - path[path < 0])
    assert 4000 / 40 < jumps.sum() < 4000 / 6


def test_jumps_go_where_frames_are_alike() -> None:
    distance = _distances(56, 5.7)
    wander = Wander(distance, np.random.default_rng(5))
    far = []
    for _ in range(3000):
        natural = wander.natural()
        if wander.step():
            far.append(distance[natural, wander.position])
    assert np.mean(far) < 0.5  # of the mean distance between frames


def test_the_same_seed_takes_the_same_path() -> None:
    paths = [_walk(Wander(_distances(30, 4.1), np.random.default_rng(seed)), 500)[0].tolist() for seed in (6, 6, 7)]
    assert paths[0] == paths[1] != paths[2]


def test_frames_that_are_all_alike_are_walked_on_too() -> None:
    path, _ = _walk(Wander(np.zeros((20, 20)), np.random.default_rng(8)), 500)
    assert len(set(path.tolist())) > 20
