"""The document: every change is one step back and forth; the bridge turns steps into the smallest message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from synth_app.core.errors import DeviceError
from synth_app.core.events import SetMorph, SetParam
from synth_app.ui.bridge import Bridge
from synth_app.ui.document import Document, natural_handle
from tests.gui.fake_instrument import FakeInstrument, welcome_patch

HOME = Path("welcome.toml")


@pytest.fixture
def document(qtbot: QtBot) -> Document:
    return Document(welcome_patch(), HOME)


def weights(*values: float) -> tuple[float, ...]:
    return values


def test_a_gesture_is_one_step_however_long(document: Document) -> None:
    start = document.sound
    document.begin_gesture()
    for i in range(50):
        share = i / 50
        document.edit(document.patch.with_weights(weights(share, 1 - share, 0, 0, 0)), "Morph", (share, 0.0), "morph")
    document.end_gesture()
    end = document.sound
    assert document.stack.count() == 1
    document.stack.undo()
    assert document.sound == start
    document.stack.redo()
    assert document.sound == end


def test_two_gestures_are_two_steps(document: Document) -> None:
    for target in (weights(1, 0, 0, 0, 0), weights(0, 1, 0, 0, 0)):
        document.begin_gesture()
        document.edit(document.patch.with_weights(target), "Morph", merge="morph")
        document.end_gesture()
    assert document.stack.count() == 2
    document.stack.undo()
    assert document.patch.weights == weights(1, 0, 0, 0, 0)


def test_different_controls_never_merge(document: Document) -> None:
    document.edit(document.patch.with_param("volume_db", -3.0), "Volume", merge="volume_db")
    document.edit(document.patch.with_param("volume_db", -4.0), "Volume", merge="volume_db")
    document.edit(document.patch.with_param("attack_ms", 10.0), "Attack", merge="attack_ms")
    assert document.stack.count() == 2


def test_undo_has_no_limit(document: Document) -> None:
    start = document.sound
    for i in range(400):
        document.edit(document.patch.with_param("volume_db", -i / 10), "Volume")
    for _ in range(document.stack.count()):
        document.stack.undo()
    assert document.sound == start


def test_what_changes_nothing_is_no_step(document: Document) -> None:
    document.edit(document.patch, "Nothing")
    assert document.stack.count() == 0


def test_dirty_follows_what_is_on_disk(document: Document) -> None:
    assert not document.dirty
    document.edit(document.patch.with_param("volume_db", -3.0), "Volume")
    assert document.dirty
    document.stack.undo()
    assert not document.dirty
    document.stack.redo()
    document.mark_saved(document.patch, HOME)
    assert not document.dirty
    document.stack.undo()
    assert document.dirty, "the file holds what came after"


def test_playing_the_pad_is_no_edit(document: Document) -> None:
    weights = (1.0,) + (0.0,) * (len(document.patch.anchors) - 1)
    document.edit(document.patch.with_weights(weights[::-1]), "Morph")
    assert document.dirty and not document.edited, "leaving the sound asks nothing; undo still brings the place back"
    document.edit(document.patch.with_param("volume_db", -3.0), "Volume")
    assert document.edited


def test_opening_another_preset_can_be_undone(document: Document) -> None:
    document.edit(document.patch.with_param("volume_db", -3.0), "Volume")
    edited = document.sound
    document.open(replace(welcome_patch(), name="Other"), Path("other.toml"), "Load Other")
    assert document.patch.name == "Other" and not document.dirty
    document.stack.undo()
    assert document.sound == edited and document.dirty


@pytest.fixture
def bridge(qtbot: QtBot, fake: FakeInstrument) -> Bridge:
    return Bridge(fake)


def follow(bridge: Bridge, document: Document) -> None:
    document.changed.connect(bridge.follow)


def test_a_morph_is_one_set_morph(bridge: Bridge, document: Document, fake: FakeInstrument) -> None:
    follow(bridge, document)
    document.edit(document.patch.with_weights(weights(0, 0, 1, 0, 0)), "Morph")
    assert [event.weights for event in fake.of_type(SetMorph)] == [weights(0, 0, 1, 0, 0)]
    assert fake.patches_set == []


def test_a_control_is_one_set_param(bridge: Bridge, document: Document, fake: FakeInstrument) -> None:
    follow(bridge, document)
    document.edit(document.patch.with_param("attack_ms", 120.0), "Attack")
    assert [(e.name, e.value, e.source) for e in fake.of_type(SetParam)] == [("attack_ms", 120.0, "panel")]
    assert fake.of_type(SetMorph) == [] and fake.patches_set == []


def test_other_timbres_are_a_new_patch(bridge: Bridge, document: Document, fake: FakeInstrument) -> None:
    follow(bridge, document)
    shorter = replace(document.patch, anchors=document.patch.anchors[:2])
    document.edit(shorter, "Remove")
    assert fake.patches_set == [shorter]
    document.stack.undo()
    assert fake.patch == welcome_patch()


def test_places_wait_for_the_end_of_the_gesture(
    bridge: Bridge, document: Document, fake: FakeInstrument, qtbot: QtBot
) -> None:
    follow(bridge, document)
    for x in (0.3, 0.4, 0.5):
        moved = (replace(document.patch.anchors[0], x=x), *document.patch.anchors[1:])
        document.edit(replace(document.patch, anchors=moved), "Move", merge="anchor0")
    assert fake.patches_set == []
    qtbot.waitUntil(lambda: len(fake.patches_set) == 1, timeout=3000)
    assert fake.patch.anchors[0].x == 0.5


def test_stopping_hands_over_what_is_pending(bridge: Bridge, document: Document, fake: FakeInstrument) -> None:
    follow(bridge, document)
    document.edit(replace(document.patch, notes="new words"), "Notes")
    bridge.stop()
    assert fake.patch.notes == "new words"


def test_a_morph_by_midi_is_told_and_our_own_is_not(
    bridge: Bridge, document: Document, fake: FakeInstrument, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(bridge, document)
    told: list[tuple[float, ...]] = []
    bridge.morphed.connect(told.append)
    document.edit(document.patch.with_weights(weights(1, 0, 0, 0, 0)), "Morph")
    bridge.poll()
    assert told == [], "an echo of our own"
    monkeypatch.setattr(bridge, "_own_until_s", 0.0)
    fake.post(SetMorph(0, weights(0, 0, 0, 1, 0), "keyboard"))
    bridge.poll()
    assert told == [weights(0, 0, 0, 1, 0)]


def test_a_late_echo_is_still_an_echo(
    bridge: Bridge, document: Document, fake: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy engine may publish our own morphs one after the other, long after they were sent."""
    follow(bridge, document)
    told: list[object] = []
    bridge.morphed.connect(told.append)
    bridge.patched.connect(told.append)
    first, second = weights(1, 0, 0, 0, 0), weights(0, 1, 0, 0, 0)
    for target in (first, second):
        document.edit(document.patch.with_weights(target), "Morph")
    monkeypatch.setattr(bridge, "_own_until_s", 0.0)
    for revision, late in ((7, first), (8, second)):
        fake.extra_telemetry = {"asked_weights": late, "patch_revision": revision}
        bridge.poll()
    assert told == []


def test_a_morph_by_midi_is_no_program_change(
    bridge: Bridge, fake: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine counts a new revision for every change of the patch, its weights included."""
    morphs, patches = [], []
    bridge.morphed.connect(morphs.append)
    bridge.patched.connect(patches.append)
    bridge.poll()
    fake.program_change(fake.patch.with_weights(weights(0, 0, 0, 0, 1)))
    bridge.poll()
    assert morphs == [weights(0, 0, 0, 0, 1)] and patches == []


def test_a_program_change_is_told(bridge: Bridge, fake: FakeInstrument) -> None:
    told = []
    bridge.patched.connect(told.append)
    bridge.poll()
    fake.program_change(replace(welcome_patch(), name="From afar"))
    bridge.poll()
    assert [patch.name for patch in told] == ["From afar"]


def test_troubles_become_sentences(bridge: Bridge, qtbot: QtBot) -> None:
    def fail() -> None:
        raise DeviceError("No such device; choose another.")

    with qtbot.waitSignal(bridge.trouble) as signal:
        assert bridge.attempt(fail) is None
    assert signal.args == ["No such device; choose another."]
    with qtbot.waitSignal(bridge.trouble) as signal:
        bridge.in_background(fail, lambda _: None)
    assert signal.args == ["No such device; choose another."]


def test_slow_work_comes_back_by_itself(bridge: Bridge, qtbot: QtBot) -> None:
    got: list[int] = []
    bridge.in_background(lambda: 42, got.append)
    qtbot.waitUntil(lambda: got == [42], timeout=3000)


def test_the_handle_of_a_loaded_patch_is_its_centre_of_weight() -> None:
    patch = welcome_patch().with_weights(weights(0, 1, 0, 0, 0))
    assert natural_handle(patch) == pytest.approx((0.52, 0.12))
