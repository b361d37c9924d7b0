"""A restless player does everything in any order: the instrument has what the panel shows, and all can be undone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from synth_app.core.params import PARAMS
from synth_app.ui.main_window import MainWindow
from synth_app.ui.view_models.params import ParamScale
from tests.gui.fake_instrument import FakeInstrument

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)

STEPS = 160


def things_to_do(window: MainWindow, fake: FakeInstrument, rng: np.random.Generator) -> list[Callable[[], object]]:
    """What hands can do now, with where and how much already chosen."""
    morphing, tasks, stack = window.morphing, window.tasks, window.document.stack
    count = len(window.document.patch.anchors)
    index, x, y = int(rng.integers(count)), float(rng.random()), float(rng.random())
    spec = list(PARAMS.values())[int(rng.integers(len(PARAMS)))]
    names = [anchor.name for anchor in fake.anchors]

    def drag() -> None:
        morphing.press()
        for share in (0.2, 0.6, 1.0):
            morphing.move(share * x, share * y)
        morphing.release()

    def turn() -> None:
        if spec.in_patch:
            scale = ParamScale(spec)
            window.params.rows[spec.name].slider.setValue(int(rng.integers(scale.steps + 1)))

    def flip() -> None:
        getattr(window.pad_pane, rng.choice(["snap", "lock_x", "lock_y", "latch"])).click()

    return [
        drag,
        turn,
        flip,
        lambda: morphing.move_anchor(index, x, y),
        lambda: window.weights.rows[index].slider.setValue(int(1000 * x)),
        lambda: window.weights.rows[index].lock.click(),
        lambda: morphing.jump(index),
        lambda: morphing.nudge(x - 0.5, y - 0.5),
        lambda: morphing.recall_scene(int(rng.integers(4))),
        lambda: morphing.crossfade(x),
        lambda: tasks.toggle_anchor(str(rng.choice(names))),
        lambda: tasks.remove_anchor(index),
        lambda: tasks.rename_anchor(index, f"Name {int(rng.integers(9))}"),
        tasks.random_anchor,
        lambda: tasks.mutate(index),
        tasks.capture,
        lambda: tasks.load(fake.presets()[int(rng.integers(3))][1]),
        stack.undo,
        stack.undo,
        stack.redo,
        window.bridge.poll,
    ]


@pytest.mark.parametrize("seed", range(4))
def test_panel_and_instrument_agree_and_everything_is_undone(
    window: MainWindow, fake: FakeInstrument, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    start = window.document.sound
    for _ in range(STEPS):
        things = things_to_do(window, fake, rng)
        things[int(rng.integers(len(things)))]()
        patch = window.document.patch
        assert sum(patch.weights) == pytest.approx(1.0)
        assert all(0.0 <= anchor.x <= 1.0 and 0.0 <= anchor.y <= 1.0 for anchor in patch.anchors)
        assert len({anchor.name for anchor in patch.anchors}) == len(patch.anchors) == len(window.weights.rows)
        assert [a.name for a in fake.patch.anchors] == [a.name for a in patch.anchors]
        assert fake.patch.weights == patch.weights and fake.patch.params == patch.params
    window.bridge.stop()
    assert fake.patch == window.document.patch
    last = window.document.sound
    stack = window.document.stack
    top = stack.index()
    while stack.canUndo():
        stack.undo()
    assert window.document.sound == start
    while stack.index() < top:
        stack.redo()
    assert window.document.sound == last
