"""The window with a hand on it: mouse, keys and what the instrument hears of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6 import sip
from PyQt6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, QRect, QSize, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from synth_app.core.events import NoteOff, NoteOn, Panic, PitchBend, SetMorph, SetParam
from synth_app.engine.telemetry import Telemetry, VoiceView
from synth_app.engine.voices import Phase
from synth_app.ui.dialogs.help import HelpDialog
from synth_app.ui.dialogs.save_dialog import SaveDialog
from synth_app.ui.dialogs.settings_dialog import SettingsDialog
from synth_app.ui.dialogs.welcome import WelcomeDialog
from synth_app.ui.main_window import PICTURES_AFTER_MS, MainWindow
from synth_app.ui.settings import PanelSettings
from synth_app.ui.view_models.keyboard import key_layout
from synth_app.ui.widgets.keyboard import SHADES
from synth_app.ui.widgets.morph_pad import TIMBRE_MIME
from tests.gui.fake_instrument import FakeInstrument

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # offscreen has no window manager

LEFT = Qt.MouseButton.LeftButton


def place(window: MainWindow, x: float, y: float) -> QPoint:
    return window.pad_pane.pad.to_screen((x, y)).toPoint()


def drag(widget: QWidget, *points: QPoint) -> None:
    QTest.mousePress(widget, LEFT, pos=points[0])
    for point in points[1:]:
        QTest.mouseMove(widget, point)
    QTest.mouseRelease(widget, LEFT, pos=points[-1])


# ---------------------------------------------------------------------- the pad
def test_dragging_the_handle_morphs_and_is_one_undo(window: MainWindow, fake: FakeInstrument) -> None:
    before = window.document.sound
    drag(window.pad_pane.pad, place(window, 0.5, 0.5), place(window, 0.4, 0.5), place(window, 0.3, 0.6))
    assert len(fake.of_type(SetMorph)) == 3
    assert window.document.sound.handle == pytest.approx((0.3, 0.6), abs=0.01)
    assert fake.patch.weights == window.document.patch.weights
    assert window.document.stack.count() == 1
    window.document.stack.undo()
    assert window.document.sound == before and fake.patch.weights == before.patch.weights


def test_pad_edge_sliders_and_weight_sliders_are_in_step(window: MainWindow) -> None:
    drag(window.pad_pane.pad, place(window, 0.5, 0.5), place(window, 0.6, 0.4))
    assert window.pad_pane.across.value() == pytest.approx(600, abs=10)
    assert window.pad_pane.down.value() == pytest.approx(400, abs=10)
    shown = [row.slider.value() / 1000 for row in window.weights.rows]
    assert shown == pytest.approx(window.document.patch.weights, abs=0.001)
    window.weights.rows[0].slider.setValue(1000)
    assert window.document.patch.weights[0] == pytest.approx(1.0)
    assert window.document.sound.handle == pytest.approx((0.20, 0.30), abs=0.01), "the ring went to the cello"
    window.pad_pane.across.setValue(900)
    assert window.document.sound.handle[0] == pytest.approx(0.9)


def test_the_handle_snaps_to_an_anchor(window: MainWindow, fake: FakeInstrument) -> None:
    drag(window.pad_pane.pad, place(window, 0.5, 0.5), place(window, 0.705, 0.79))
    assert window.document.patch.weights[3] == pytest.approx(1.0)
    window.pad_pane.snap.click()
    drag(window.pad_pane.pad, place(window, 0.5, 0.5), place(window, 0.705, 0.77))
    assert window.document.patch.weights[3] < 1.0


def test_dragging_an_anchor_moves_it_not_the_handle(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    handle = window.document.sound.handle
    drag(window.pad_pane.pad, place(window, 0.84, 0.34), place(window, 0.9, 0.5), place(window, 0.92, 0.6))
    anchor = window.document.patch.anchors[2]
    assert (anchor.x, anchor.y) == pytest.approx((0.92, 0.6), abs=0.02)
    assert window.document.sound.handle == handle
    assert window.document.stack.count() == 1
    qtbot.waitUntil(lambda: fake.patch.anchors[2].x == anchor.x, timeout=3000)


def test_locked_axis_and_unlatched_handle(window: MainWindow) -> None:
    start = window.document.sound.handle
    window.pad_pane.lock_x.click()
    drag(window.pad_pane.pad, place(window, *start), place(window, 0.9, 0.6))
    assert window.document.sound.handle == pytest.approx((start[0], 0.6), abs=0.01)
    window.pad_pane.lock_x.click()
    window.pad_pane.latch.click()
    before = window.document.sound
    drag(window.pad_pane.pad, place(window, *before.handle), place(window, 0.9, 0.2))
    assert window.document.sound == before, "it sprang back"


def test_the_pad_by_keyboard(window: MainWindow) -> None:
    pad = window.pad_pane.pad
    pad.setFocus()
    x, y = window.document.sound.handle
    QTest.keyClick(pad, Qt.Key.Key_Right)
    QTest.keyClick(pad, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert window.document.sound.handle == pytest.approx((x + 0.02, y - 0.1), abs=1e-6)
    QTest.keyClick(pad, Qt.Key.Key_2)
    assert window.document.patch.weights[1] == pytest.approx(1.0)
    assert "Flute 100 %" in pad.accessibleDescription()


def test_a_locked_weight_stays(window: MainWindow) -> None:
    window.weights.rows[0].lock.click()
    held = window.document.patch.weights[0]
    window.weights.rows[1].slider.setValue(900)
    assert window.document.patch.weights[0] == pytest.approx(held)


def test_scenes_are_stored_recalled_and_crossfaded(window: MainWindow) -> None:
    pane = window.pad_pane
    assert not pane.fader.isEnabled()
    window.morphing.jump(0)
    pane.scenes[0].click()
    window.morphing.jump(3)
    pane.scenes[1].click()
    pane.scenes[0].click()
    assert window.document.patch.weights[0] == pytest.approx(1.0)
    assert pane.fader.isEnabled()
    pane.fader.setValue(250)
    assert window.document.patch.weights[0] == pytest.approx(0.75, abs=0.01)
    assert window.document.patch.weights[3] == pytest.approx(0.25, abs=0.01)


def test_scenes_belong_to_the_preset(
    window: MainWindow, fake: FakeInstrument, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    pane, stack = window.pad_pane, window.document.stack
    pane.scenes[1].click()
    assert window.document.edited and stack.undoText() == "Store scene B", "a change of the preset"
    stack.undo()
    assert not window.document.dirty and window.morphing.scene_weights(1) is None
    stack.redo()
    window.morphing.jump(3)
    pane.scenes[0].click()
    pane.fader.setValue(700)
    qtbot.waitUntil(lambda: fake.patch.scenes == window.document.patch.scenes, timeout=3000)
    kept = replace(window.document.patch, name="With scenes")
    window.tasks.save_as(kept, None)
    window.desk.load(path_of(fake, "Night Bus"))
    assert window.document.patch.scenes == () and not pane.fader.isEnabled() and pane.fader.value() == 0
    assert [button.property("role") for button in pane.scenes] == [""] * 4
    stack.undo()
    assert pane.fader.isEnabled(), "undo brings the preset back, and its scenes"
    window.desk.load(path_of(fake, "Night Bus"))
    window.desk.load(path_of(fake, "With scenes"))
    assert window.document.patch.scenes == kept.scenes
    window.tasks.rename_anchor(3, "Wood")
    pane.scenes[0].click()
    assert window.document.patch.weights[3] == pytest.approx(1.0), "a renamed timbre keeps its scenes"


def test_a_scene_says_what_it_misses(window: MainWindow) -> None:
    window.pad_pane.scenes[0].click()
    window.morphing.jump(0)
    window.pad_pane.scenes[1].click()
    window.tasks.remove_anchor(0)
    window.pad_pane.scenes[0].click()
    assert window.banner.text.text() == "Scene A without Cello, which is not on the pad now."
    kept = window.document.patch.scenes
    window.pad_pane.scenes[1].click()
    assert "made of Cello" in window.banner.text.text() and window.document.patch.scenes == kept


def test_a_recorded_gesture_loops(window: MainWindow) -> None:
    window.pad_pane.record.click()
    drag(window.pad_pane.pad, place(window, 0.5, 0.5), place(window, 0.4, 0.6), place(window, 0.3, 0.7))
    assert window.morphing.recorder.state == "looping" and window.pad_pane.loop.isChecked()
    window.bridge.poll()
    window.pad_pane.loop.click()
    assert window.morphing.recorder.state == "idle"


def test_a_morph_from_a_midi_controller_moves_the_panel(window: MainWindow, fake: FakeInstrument) -> None:
    window.bridge.poll()
    window.bridge._own_until_s = 0.0
    fake.post(SetMorph(0, (0.0, 0.0, 0.0, 1.0, 0.0), "keyboard"))
    window.bridge.poll()
    assert window.document.patch.weights == (0.0, 0.0, 0.0, 1.0, 0.0)
    assert window.weights.rows[3].slider.value() == 1000
    assert window.document.stack.undoText() == "Morph by MIDI"


# ---------------------------------------------------------------------- timbres
def test_a_timbre_is_added_by_return_and_removed_by_its_cross(window: MainWindow, fake: FakeInstrument) -> None:
    window.timbres.search.setText("walk")
    assert window.timbres.note.text().startswith("No timbre matches “walk”.")
    window.timbres.search.setText("violin")
    assert window.timbres.list.count() == 1
    window.timbres.list.setCurrentRow(0)
    QTest.keyClick(window.timbres.list, Qt.Key.Key_Return)
    assert [a.name for a in fake.patch.anchors][-1] == "Violin"
    assert len(window.weights.rows) == 6
    assert sum(fake.patch.weights) == pytest.approx(1.0)
    window.weights.rows[0].remove.click()
    assert [a.name for a in fake.patch.anchors] == ["Flute", "Choir", "Marimba", "Grand Piano", "Violin"]
    window.document.stack.undo()
    window.document.stack.undo()
    assert [a.name for a in fake.patch.anchors] == ["Cello", "Flute", "Choir", "Marimba", "Grand Piano"]


def test_a_timbre_is_dropped_where_the_mouse_is(window: MainWindow, fake: FakeInstrument) -> None:
    data = QMimeData()
    data.setData(TIMBRE_MIME, b"Oboe")
    at = window.pad_pane.pad.to_screen((0.5, 0.6))
    drop = QDropEvent(at, Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier, QEvent.Type.Drop)
    window.pad_pane.pad.dropEvent(drop)
    added = fake.patch.anchors[-1]
    assert added.name == "Oboe" and (added.x, added.y) == pytest.approx((0.5, 0.6), abs=0.01)


def test_the_last_anchor_stays(window: MainWindow) -> None:
    for _ in range(4):
        window.tasks.remove_anchor(0)
    window.tasks.remove_anchor(0)
    assert len(window.document.patch.anchors) == 1
    assert "at least one" in window.banner.text.text()
    assert not window.weights.rows[0].remove.isEnabled()


def test_preview_by_space_and_by_rest(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.timbres.list.setCurrentRow(0)
    QTest.keyClick(window.timbres.list, Qt.Key.Key_Space)
    first = window.timbres.list.current_key()
    assert [anchor.name for anchor, _, _ in fake.previews] == [first]
    window.timbres.hover.click()
    window.timbres.list.hovered.emit("Oboe")
    qtbot.waitUntil(lambda: fake.previews[-1][0].name == "Oboe", timeout=3000)
    assert fake.patches_set == [], "a preview leaves the patch alone"


def test_inventions_carry_their_own_latents(window: MainWindow, fake: FakeInstrument) -> None:
    window.tasks.random_anchor()
    window.tasks.mutate()
    window.tasks.capture()
    made = fake.patch.anchors[5:]
    assert len(made) == 3 and all(anchor.latents for anchor in made)
    assert len({anchor.name for anchor in fake.patch.anchors}) == 8
    assert (made[2].x, made[2].y) == pytest.approx(window.document.sound.handle), "captured where the ring is"
    assert len(fake.previews) == 3


def test_renaming_an_anchor_keeps_its_sound(window: MainWindow, fake: FakeInstrument) -> None:
    window.tasks.rename_anchor(0, "My cello")
    renamed = fake.patch.anchors[0]
    cello = next(anchor for anchor in fake.anchors if anchor.name == "Cello")
    assert renamed.name == "My cello"
    assert renamed.latents[0][1] == pytest.approx(tuple(cello.layers[0].latent))
    window.tasks.rename_anchor(1, "Oboe")
    assert fake.patch.anchors[1].name == "Oboe 2", "the model's names are taken"


def test_stars_and_likeness(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.settings_changed):
        window.timbres.list.starred.emit("Oboe")
    assert window.settings.favourite_timbres == {"Oboe"}
    window.timbres.stars.click()
    assert window.timbres.list.count() == 1
    window.timbres.stars.click()
    window.timbres.show_like("Trumpet")
    assert window.timbres.list.item(0).data(Qt.ItemDataRole.UserRole).key == "Trumpet"


def test_what_is_similar_shows_whatever_was_sought_before(window: MainWindow) -> None:
    browser = window.timbres
    browser.like.click()
    assert "Choose a timbre" in browser.note.text() and not browser.like.isChecked()
    browser.family.setCurrentIndex(browser.family.findData("Brass"))
    browser.search.setText("trumpet")
    browser.list.setCurrentRow(0)
    browser.like.click()
    assert browser.search.text() == "" and browser.family.currentData() == "" and not browser.stars.isChecked()
    assert browser.list.count() == 16, "all of them, the nearest first"
    assert browser.list.item(0).data(Qt.ItemDataRole.UserRole).key == "Trumpet"
    assert browser.like.text() == "Like Trumpet" and browser.note.text().startswith("Most like Trumpet first.")
    browser.order.setCurrentIndex(1)
    assert not browser.like.isChecked() and not browser.note.isVisibleTo(browser), "another order ends it"
    browser.stars.click()
    browser.show_like("Oboe")
    assert browser.list.count() == 16 and browser.like.text() == "Like Oboe"
    browser.like.click()
    assert browser.like.text() == "Find similar" and not browser.note.isVisibleTo(browser)


# ---------------------------------------------------------------------- playing
def click_key(window: MainWindow, pitch: int, height: float) -> QPoint:
    keyboard = window.keys.keyboard
    key = next(key for key in key_layout(*keyboard._range) if key.pitch == pitch)
    x = (key.left + (0.5 if key.black else 0.3) * key.width) * keyboard.width()
    return QPoint(round(x), round(height * key.height * keyboard.height()) - 1)


def test_the_keyboard_plays_with_the_height_of_the_click(window: MainWindow, fake: FakeInstrument) -> None:
    keyboard = window.keys.keyboard
    for height in (0.75, 0.98):
        at = click_key(window, 60, height)
        QTest.mousePress(keyboard, LEFT, pos=at)
        QTest.mouseRelease(keyboard, LEFT, pos=at)
    soft, hard = fake.of_type(NoteOn)
    assert soft.pitch == hard.pitch == 60 and soft.velocity < hard.velocity
    assert [event.pitch for event in fake.of_type(NoteOff)] == [60, 60]


def test_sliding_over_the_keys_is_a_glissando(window: MainWindow, fake: FakeInstrument) -> None:
    drag(window.keys.keyboard, *(click_key(window, pitch, 0.9) for pitch in (60, 62, 64)))
    assert [event.pitch for event in fake.of_type(NoteOn)] == [60, 62, 64]
    assert sorted(event.pitch for event in fake.of_type(NoteOff)) == [60, 62, 64]


def test_letters_play_and_shift(window: MainWindow, fake: FakeInstrument) -> None:
    QTest.keyPress(window, Qt.Key.Key_A)
    QTest.keyClick(window, Qt.Key.Key_X)
    QTest.keyClick(window, Qt.Key.Key_C)
    QTest.keyPress(window, Qt.Key.Key_S)
    QTest.keyRelease(window, Qt.Key.Key_A)
    QTest.keyRelease(window, Qt.Key.Key_S)
    assert [(e.pitch, e.velocity) for e in fake.of_type(NoteOn)] == [(60, 96), (74, 80)]
    assert [e.pitch for e in fake.of_type(NoteOff)] == [60, 74]
    assert window.keys.octave.text() == "Keys C5" and window.keys.velocity.text() == "Vel 80"


def test_typing_words_plays_nothing(window: MainWindow, fake: FakeInstrument) -> None:
    window.timbres.search.setFocus()
    QTest.keyClicks(window.timbres.search, "dark")
    assert window.timbres.search.text() == "dark" and fake.of_type(NoteOn) == []


def test_the_keyboard_goes_from_searching_to_playing(window: MainWindow, fake: FakeInstrument) -> None:
    for _ in range(2):
        window.timbres.search.setFocus()
        window.timbres.search.setText("oboe")
        QTest.keyClick(window.timbres.search, Qt.Key.Key_Return)
        assert [anchor.name for anchor in fake.patch.anchors][-1] == "Oboe", "put there, and not taken away by a second"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_A)
    assert len(fake.of_type(NoteOn)) == 1, "the letters play again"
    window.timbres.search.setFocus()
    window.timbres.search.clear()
    QTest.keyClick(window.timbres.search, Qt.Key.Key_Down)
    assert window.timbres.list.hasFocus() and window.timbres.list.currentRow() >= 0
    window.document.stack.undo()  # else loading asks about unsaved changes
    window.face.show_presets()
    QTest.keyClicks(window.presets.search, "night")
    QTest.keyClick(window.presets.search, Qt.Key.Key_Return)
    assert window.document.patch.name == "Night Bus" and window.presets.list.hasFocus()


def test_a_click_on_nothing_ends_the_typing(window: MainWindow, fake: FakeInstrument) -> None:
    window.timbres.search.setFocus()
    for nothing in (window.top, window.keys):
        window.timbres.search.setFocus()
        assert window.timbres.search.hasFocus()
        QTest.mouseClick(nothing, LEFT, pos=QPoint(2, 2))
        assert not window.timbres.search.hasFocus()
    QTest.keyClick(window, Qt.Key.Key_A)
    assert len(fake.of_type(NoteOn)) == 1


def test_escape_leaves_a_search_and_the_letters_play_again(window: MainWindow, fake: FakeInstrument) -> None:
    window.timbres.search.setFocus()
    QTest.keyClicks(QApplication.focusWidget(), "ad")
    assert not fake.of_type(NoteOn)
    window.escape()
    QTest.keyClicks(QApplication.focusWidget(), "ad")
    assert len(fake.of_type(NoteOn)) == 2 and window.timbres.search.text() == "ad"


def test_letters_can_be_switched_off(make_window: Callable[..., MainWindow], fake: FakeInstrument) -> None:
    window = make_window(PanelSettings(first_run=False, computer_keys=False))
    QTest.keyClick(window, Qt.Key.Key_A)
    assert fake.of_type(NoteOn) == []


def test_losing_the_focus_lets_everything_go(window: MainWindow, fake: FakeInstrument) -> None:
    QTest.keyPress(window, Qt.Key.Key_A)
    window.keys.sustain.click()
    QApplication.sendEvent(window, QEvent(QEvent.Type.WindowDeactivate))
    assert [event.pitch for event in fake.of_type(NoteOff)] == [60]
    assert fake.controls(64) == [127, 0]


def test_wheels_and_pedal(window: MainWindow, fake: FakeInstrument) -> None:
    window.keys.modulation.setValue(90)
    window.keys.bend.setValue(4000)
    middle = window.keys.bend.rect().center()
    QTest.mousePress(window.keys.bend, LEFT, pos=QPoint(middle.x(), 6))
    QTest.mouseRelease(window.keys.bend, LEFT, pos=QPoint(middle.x(), 6))
    window.keys.sustain.click()
    assert fake.controls(1) == [90]
    assert fake.of_type(PitchBend)[-1].value == 0 and max(e.value for e in fake.of_type(PitchBend)) > 7000
    assert fake.controls(64) == [127]


def test_panic_says_what_it_silenced(window: MainWindow, fake: FakeInstrument) -> None:
    QTest.keyPress(window, Qt.Key.Key_A)
    window.keys.sustain.click()
    fake.extra_telemetry = {"voices": (VoiceView(1, 0, 60, "sounding", 1.0), VoiceView(2, 3, 67, "sounding", 1.0))}
    window.bridge.poll()
    window.timbres.search.setFocus()
    QTest.keyClick(window.timbres.search, Qt.Key.Key_Escape)
    assert len(fake.of_type(Panic)) == 1
    assert window.banner.text.text() == "Silenced 2 notes: C4, G4."
    assert not window.keys.sustain.isChecked()
    QTest.keyRelease(window, Qt.Key.Key_A)
    fake.extra_telemetry = {}
    fake.held.clear()
    window.bridge.poll()
    window.top.panic.click()
    assert "Nothing was sounding" in window.banner.text.text()


def test_sounding_keys_light_up(window: MainWindow, fake: FakeInstrument) -> None:
    fake.post(NoteOn(0, 0, 64, 100, "keyboard"))
    window.bridge.poll()
    assert window.keys.keyboard._lit == {64: pytest.approx(100 / 127)}
    fake.extra_telemetry = {"voices": (VoiceView(1, 0, 64, Phase.RELEASING.value, 0.5),)}
    window.bridge.poll()
    assert window.keys.keyboard._lit == {}, "let go, though it still rings"


# ---------------------------------------------------------------------- controls and undo
def test_a_control_is_undone_by_ctrl_z(window: MainWindow, fake: FakeInstrument) -> None:
    row = window.params.rows["attack_ms"]
    row.slider.setValue(500)
    assert fake.of_type(SetParam)[-1].name == "attack_ms" and fake.patch.param("attack_ms") > 0
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert fake.patch.param("attack_ms") == 0.0 and row.slider.value() == 0
    QTest.keyClick(row.slider, Qt.Key.Key_Right)
    QTest.keyClick(row.slider, Qt.Key.Key_Delete)
    assert fake.patch.param("attack_ms") == 0.0


def test_the_history_buttons_say_what_they_do(window: MainWindow) -> None:
    assert not window.top.undo.isEnabled()
    window.tasks.add_anchor("Oboe")
    assert window.top.undo.isEnabled() and "Add Oboe" in window.top.undo.toolTip()
    window.top.undo.click()
    assert window.top.redo.isEnabled() and len(window.document.patch.anchors) == 5


def test_a_timbre_more_leaves_the_blend_as_it_is_unless_it_is_put_under_the_ring(window: MainWindow) -> None:
    before, handle = window.document.patch.weights, window.document.sound.handle
    window.tasks.add_anchor("Oboe")
    assert window.document.patch.weights == pytest.approx((*before, 0.0))
    window.tasks.add_anchor("Violin", *handle)
    assert window.document.patch.weights[-1] == pytest.approx(1.0)
    window.morphing.jump([anchor.name for anchor in window.document.patch.anchors].index("Oboe"))
    assert window.document.patch.weights[-2] == pytest.approx(1.0), "from the first move on the place decides"


# ---------------------------------------------------------------------- presets
def answer(monkeypatch: pytest.MonkeyPatch, role: QMessageBox.ButtonRole) -> list[str]:
    """Answer the question about unsaved changes by the button of this role; returns what was asked."""
    asked: list[str] = []

    def click(box: QMessageBox) -> int:
        asked.append(box.text())
        next(b for b in box.buttons() if box.buttonRole(b) == role).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", click)
    return asked


def path_of(fake: FakeInstrument, name: str) -> Path:
    return next(path for found, path in fake.presets() if found == name)


def test_loading_asks_before_edits_are_lost(
    window: MainWindow, fake: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.document.edit(window.document.patch.with_param("volume_db", -3.0), "Volume")
    assert window.top.name.text() == "Welcome *" and "Welcome *" in window.windowTitle()
    asked = answer(monkeypatch, QMessageBox.ButtonRole.RejectRole)
    window.desk.load(path_of(fake, "Night Bus"))
    assert asked == ["Welcome has changes that are not saved."] and window.document.patch.name == "Welcome"
    answer(monkeypatch, QMessageBox.ButtonRole.DestructiveRole)
    window.desk.load(path_of(fake, "Night Bus"))
    assert fake.patch.name == "Night Bus" and window.top.name.text() == "Night Bus"
    window.document.stack.undo()
    assert window.top.name.text() == "Welcome *", "even that can be undone"


def test_saving_a_factory_preset_asks_for_a_name(
    window: MainWindow, fake: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.morphing.jump(0)

    def fill(dialog: SaveDialog) -> int:
        assert dialog.name.text() == "Welcome 2"
        assert dialog.tags.text() == "", "the factory's words are not the player's"
        dialog.name.setText("night bus")
        assert not dialog.save.isEnabled(), "the name is taken"
        dialog.name.setText("My Welcome")
        dialog.author.setText("Me")
        dialog.tags.setText("warm, warm, slow,")
        return SaveDialog.DialogCode.Accepted

    monkeypatch.setattr(SaveDialog, "exec", fill)
    window.top.save.click()
    assert not window.document.dirty and window.top.name.text() == "My Welcome"
    saved = fake.read_preset(fake.preset_folder / "My Welcome.toml")
    assert saved.author == "Me" and saved.tags == ("warm", "slow") and saved.weights[0] == pytest.approx(1.0)
    window.morphing.jump(1)
    monkeypatch.setattr(SaveDialog, "exec", lambda _: pytest.fail("it has a place of its own now"))
    QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert fake.read_preset(fake.preset_folder / "My Welcome.toml").weights[1] == pytest.approx(1.0)


def test_closing_asks_and_can_be_refused(
    window: MainWindow, fake: FakeInstrument, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    window.document.edit(window.document.patch.with_param("volume_db", -3.0), "Volume")
    answer(monkeypatch, QMessageBox.ButtonRole.RejectRole)
    assert not window.close()
    assert window.isVisible()
    answer(monkeypatch, QMessageBox.ButtonRole.DestructiveRole)
    with qtbot.waitSignal(window.settings_changed):
        assert window.close()
    assert len(window.settings.window) == 4


def test_a_damaged_preset_leaves_the_table_alone(window: MainWindow, fake: FakeInstrument) -> None:
    (fake.preset_folder / "Broken.toml").write_text("nonsense")
    window.presets.reload()
    before = window.document.sound
    window.desk.load(fake.preset_folder / "Broken.toml")
    assert window.document.sound == before and "not a preset" in window.banner.text.text()


def test_presets_by_drag_and_drop_rename_bin_and_back(window: MainWindow, fake: FakeInstrument, tmp_path: Path) -> None:
    source = tmp_path / "gift.toml"
    source.write_text(path_of(fake, "Night Bus").read_text())
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(source))])
    drop = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier, QEvent.Type.Drop
    )
    window.presets.list.dropEvent(drop)
    imported = next(row for row in window.shelf.rows() if row.name == "Night Bus 2")
    dragged_out = window.presets.list.mimeData([window.presets.list.item(0)])
    assert Path(dragged_out.urls()[0].toLocalFile()).exists()
    window.desk.load(imported.path)
    window.presets.rename(imported, "Gift")
    assert window.top.name.text() == "Gift"
    gift = next(row for row in window.shelf.rows() if row.name == "Gift")
    window.presets.delete(gift)
    assert not gift.path.exists() and window.banner.button.isVisible()
    window.banner.button.click()
    assert any(row.name == "Gift" for row in window.shelf.rows())


def test_a_search_without_presets_says_so(window: MainWindow) -> None:
    assert window.presets.note.text().startswith("Double-click loads.")
    window.presets.search.setText("zzz")
    assert window.presets.list.count() == 0
    assert window.presets.note.text().startswith("No preset matches “zzz”.")
    window.presets.search.clear()
    window.presets.stars.click()
    assert window.presets.note.text().startswith("Nothing fits.")


def test_loading_over_changes_offers_them_back(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.desk.load(path_of(fake, "Glass Choir"))
    assert window.banner.text.text() == "Loaded Glass Choir." and not window.banner.button.isVisible()
    window.morphing.jump(0)
    changed = window.document.sound
    window.desk.load(path_of(fake, "Night Bus"))
    assert window.banner.text.text() == "Loaded Night Bus over your changes to Glass Choir."
    assert window.banner.button.text() == "Bring them back"
    window.morphing.jump(2)
    window.banner.button.click()
    assert window.document.sound == changed and fake.patch.weights == changed.patch.weights
    qtbot.waitUntil(lambda: fake.patch.name == "Glass Choir", timeout=3000)
    assert not window.banner.isVisible() and window.document.stack.canRedo()


def test_arrows_step_through_the_presets(window: MainWindow, fake: FakeInstrument) -> None:
    window.top.after.click()
    assert fake.patch.name == "Night Bus"
    window.top.before.click()
    assert fake.patch.name == "Welcome"


def test_a_program_change_moves_the_panel_and_keeps_the_edits_in_the_history(
    window: MainWindow, fake: FakeInstrument
) -> None:
    window.morphing.jump(0)
    edited = window.document.sound
    window.bridge._own_until_s = 0.0
    window.bridge.poll()
    fake.program_change(replace(fake.read_preset(path_of(fake, "Night Bus"))))
    window.bridge.poll()
    assert window.top.name.text() == "Night Bus" and "over your changes" in window.banner.text.text()
    window.document.stack.undo()
    assert window.document.sound == edited


# ---------------------------------------------------------------------- recording, safety, settings
def test_a_recording_begun_elsewhere_counts_from_where_it_is_seen(window: MainWindow, fake: FakeInstrument) -> None:
    fake.start_recording()
    window.bridge.poll()
    assert window.top.record.isChecked() and window.top.record.text().startswith("● 0:0")
    window.top.record.click()
    assert fake.telemetry().recording == "" and "take.wav" in window.banner.text.text()


def test_recording_says_where_it_went(window: MainWindow, fake: FakeInstrument) -> None:
    window.top.record.click()
    assert window.top.record.isChecked()
    window.bridge.poll()
    assert window.top.record.text().startswith("● 0:0")
    window.top.record.click()
    assert "take.wav" in window.banner.text.text() and not window.top.record.isChecked()


def test_make_it_safe_raises_the_block_and_says_so(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.bridge.poll()
    window.status.safe.click()
    qtbot.waitUntil(lambda: "512 frames" in window.banner.text.text(), timeout=3000)
    assert fake.opened[-1].block_frames == 512 and window.settings.audio.block_frames == 512


def test_a_device_that_fails_changes_nothing(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.dialogs.show_settings()
    dialog = window.dialogs.settings_dialog
    page = dialog.audio
    qtbot.waitUntil(lambda: page.device.count() == 4, timeout=3000)
    page.device.setCurrentIndex(page.device.findData("Broken"))
    page.apply.click()
    qtbot.waitUntil(lambda: "cannot be opened" in page.answer.text(), timeout=3000)
    assert window.settings.audio.device == "" and page.device.currentData() == ""
    page.device.setCurrentIndex(page.device.findData("ALSA: USB Interface"))
    page.apply.click()
    qtbot.waitUntil(lambda: window.settings.audio.device == "ALSA: USB Interface", timeout=3000)
    dialog.accept()


def test_midi_inputs_are_chosen_by_name(window: MainWindow, fake: FakeInstrument) -> None:
    window.dialogs.show_settings()
    page = window.dialogs.settings_dialog.midi
    assert list(page.inputs) == ["Keystep 37", "nanoKONTROL2"]
    assert not any(box.isEnabled() for box in page.inputs.values())
    page.all_inputs.setChecked(False)
    page.inputs["nanoKONTROL2"].setChecked(False)
    assert fake.connected == ("Keystep 37",) and window.settings.midi_inputs == ("Keystep 37",)
    page.all_inputs.setChecked(True)
    assert fake.connected is None and window.settings.midi_inputs is None


def test_midi_channels_are_chosen_and_never_none_of_them(window: MainWindow, fake: FakeInstrument) -> None:
    window.dialogs.show_settings()
    page = window.dialogs.settings_dialog.midi
    assert page.all_channels.isChecked() and not page.channels[1].isEnabled()
    page.all_channels.setChecked(False)
    for number in range(3, 17):
        page.channels[number].setChecked(False)
    assert fake.channels == window.settings.midi_channels == (1, 2)
    page.channels[1].setChecked(False)
    page.channels[2].setChecked(False)
    assert fake.channels == window.settings.midi_channels == (), "nobody wants to be deaf: all of them again"
    assert page.all_channels.isChecked() and page.channels[1].isChecked()


def test_a_remembered_input_that_is_not_here_is_shown(
    make_window: Callable[..., MainWindow], fake: FakeInstrument
) -> None:
    window = make_window(PanelSettings(first_run=False, midi_inputs=("Keystep 37", "Old Organ"), midi_channels=(10,)))
    window.dialogs.show_settings()
    page = window.dialogs.settings_dialog.midi
    assert page.inputs["Old Organ"].text() == "Old Organ (not here now)" and page.inputs["Old Organ"].isChecked()
    assert [number for number, box in page.channels.items() if box.isChecked()] == [10]


def test_another_model_plays_without_a_restart(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.dialogs.show_settings()
    page = window.dialogs.settings_dialog.sound
    page.model.addItem("other", "other")
    page.model.setCurrentIndex(page.model.findData("other"))
    page.apply.click()
    assert page.progress.isVisibleTo(page) and not page.apply.isEnabled()
    qtbot.waitUntil(lambda: page.answer.text() == "It plays now.", timeout=3000)
    assert fake.models == [("other", "auto")] and window.settings.model == "other"
    assert window.timbres.list.count() == 8 and not page.progress.isVisibleTo(page)
    assert window.document.patch == fake.patch and window.document.patch.name == "Untitled"


def test_a_model_that_fails_changes_nothing(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.dialogs.show_settings()
    page = window.dialogs.settings_dialog.sound
    page.model.addItem("broken", "broken")
    page.model.setCurrentIndex(page.model.findData("broken"))
    page.apply.click()
    qtbot.waitUntil(lambda: "is damaged" in page.answer.text(), timeout=3000)
    assert "is damaged" in window.banner.text.text()
    assert window.settings.model == "" and page.model.currentData() == "" and page.apply.isEnabled()
    assert window.document.patch.name == "Welcome" and window.timbres.list.count() == 16


def test_closed_dialogs_hear_nothing_more(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    """What was asked for on their behalf comes back to nobody, and snapshots pass them by."""
    window.dialogs.show_settings()
    window.dialogs.show_welcome()
    settings, welcome = window.dialogs.settings_dialog, window.findChild(WelcomeDialog)
    settings.audio.reload_devices()
    settings.accept()
    welcome.accept()
    qtbot.waitUntil(lambda: sip.isdeleted(settings) and sip.isdeleted(welcome), timeout=3000)
    fake.extra_telemetry = {"latency_ms": 99.0}
    window.bridge.poll()
    window.bridge.in_background(lambda: None, lambda _: None)
    qtbot.wait(50)


def test_settings_reach_the_instrument_and_go_back_to_safe(
    window: MainWindow, fake: FakeInstrument, qtbot: QtBot
) -> None:
    window.dialogs.show_settings()
    dialog = window.dialogs.settings_dialog
    dialog.sound.params["polyphony"].slider.setValue(7)
    assert fake.params["polyphony"] == 8.0 and window.settings.params["polyphony"] == 8.0
    dialog.look.look.setCurrentIndex(1)
    dialog.look.zoom.setCurrentIndex(dialog.look.zoom.findData(1.5))
    assert window.theme.palette.name == "light" and window.theme.zoom == 1.5
    dialog.restore_defaults()
    assert window.theme.palette.name == "dark" and window.theme.zoom == 1.0 and fake.params["polyphony"] == 64.0
    qtbot.waitUntil(lambda: len(fake.opened) == 1, timeout=3000)
    dialog.accept()


def test_the_welcome_page_makes_sound(window: MainWindow, fake: FakeInstrument, qtbot: QtBot) -> None:
    window.dialogs.show_welcome()
    dialog = window.findChild(WelcomeDialog)
    dialog.hear.click()
    assert len(fake.of_type(NoteOn)) == 4
    QTest.keyClick(dialog, Qt.Key.Key_K)
    assert fake.of_type(NoteOn)[-1].pitch == 72, "the letters play while it is open"
    dialog.accept()
    assert len(fake.of_type(NoteOff)) == 5 and window.settings.first_run is False


def test_escape_only_closes_a_question(window: MainWindow, fake: FakeInstrument) -> None:
    box = QMessageBox(window)
    box.open()
    QTest.keyClick(box, Qt.Key.Key_Escape)
    assert not box.isVisible() and fake.of_type(Panic) == []
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert len(fake.of_type(Panic)) == 1


def test_escape_silences_through_a_menu(window: MainWindow, fake: FakeInstrument) -> None:
    for notes in (0, 1):
        if notes:
            QTest.keyPress(window, Qt.Key.Key_A)
        window.top.help.menu().popup(QPoint(0, 0))
        QTest.keyClick(window.top.help.menu(), Qt.Key.Key_Escape)
        assert len(fake.of_type(Panic)) == notes, "where nothing sounds, Esc is meant for the menu"


def test_f1_lists_the_keys(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    words = [label.text() for label in window.findChild(HelpDialog).findChildren(QLabel)]
    assert "Esc" in words and any(word.startswith("Silence everything") for word in words)
    QTest.keyClick(window, Qt.Key.Key_F1)
    assert len(window.findChildren(HelpDialog)) == 1, "one is enough"


def test_open_settings_grow_with_the_zoom(window: MainWindow) -> None:
    window.dialogs.show_settings()
    dialog = window.dialogs.settings_dialog
    dialog.resize(500, 500)
    window.change_settings(replace(window.settings, zoom=2.0))
    room = window.screen().availableSize() * 0.92
    assert dialog.size() == QSize(window.theme.px(600), window.theme.px(560)).boundedTo(room)


def test_escape_closes_the_dialog_in_front_and_nothing_else(
    window: MainWindow, fake: FakeInstrument, qtbot: QtBot
) -> None:
    for show, kind in (
        (window.dialogs.show_keys, HelpDialog),
        (window.dialogs.show_settings, SettingsDialog),
        (window.dialogs.show_welcome, WelcomeDialog),
    ):
        show()
        dialog = window.findChild(kind)
        qtbot.waitUntil(lambda dialog=dialog: QApplication.activeWindow() is dialog, timeout=3000)
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda dialog=dialog: sip.isdeleted(dialog), timeout=3000)
        assert fake.of_type(Panic) == [] and not window.banner.isVisible()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=3000)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.isVisible() and len(fake.of_type(Panic)) == 1


def test_the_first_steps_come_back_and_wait_for_a_player_without_sound(window: MainWindow, qtbot: QtBot) -> None:
    window.top.first_steps.trigger()
    welcome = window.findChild(WelcomeDialog)
    next(b for b in welcome.findChildren(QPushButton) if b.text().startswith("I hear nothing")).click()
    assert window.dialogs.settings_dialog.isVisible() and welcome.isVisible()
    assert window.dialogs.settings_dialog.audio.silence.isVisible()
    window.dialogs.settings_dialog.accept()
    assert welcome.isVisible(), "the next try is one click away"
    welcome.accept()
    window.top.first_steps.trigger()
    assert any(d.isVisible() for d in window.findChildren(WelcomeDialog) if d is not welcome)


def test_escape_closes_the_first_steps_wherever_the_reader_has_clicked(
    window: MainWindow, fake: FakeInstrument
) -> None:
    window.top.first_steps.trigger()
    window.activateWindow()
    QTest.mouseClick(window.pad_pane.pad, LEFT)
    window.escape()
    assert not any(dialog.isVisible() for dialog in window.findChildren(WelcomeDialog))
    assert fake.of_type(Panic), "and silences, as everywhere"


def test_the_engines_banner_is_shown_once(window: MainWindow, fake: FakeInstrument) -> None:
    fake.extra_telemetry = {"banner": "The device was lost; plug it in again."}
    window.bridge.poll()
    assert window.banner.isVisible() and "was lost" in window.banner.text.text()
    window.banner.close_button.click()
    window.bridge.poll()
    assert not window.banner.isVisible()


@pytest.mark.parametrize("zoom", [1.0, 1.25, 1.5, 2.0])
def test_the_bar_above_stays_as_it_is(make_window: Callable[..., MainWindow], zoom: float) -> None:
    """Whatever the preset is called and the clock says, nothing moves, and Panic is where the hand knows it."""
    window = make_window(PanelSettings(first_run=False, zoom=zoom))
    top = window.top
    seen = set()
    for name in ("Halo", "Welcome", "A long walk through the night with every light on, and back again"):
        for clock in (top.record.idle_text, top.record.clock(1), top.record.clock(59 * 60 + 59)):
            top.name.setText(name)
            top.record.setText(clock)
            QApplication.processEvents()
            seen.add((top.height(), QRect(top.panic.mapTo(window, QPoint(0, 0)), top.panic.size()).getRect()))
    assert len(seen) == 1
    assert window.rect().contains(QRect(*seen.pop()[1])) and top.panic.width() >= top.panic.sizeHint().width()
    assert len({button.mapTo(window, QPoint(0, 0)).y() for button in window.pad_pane.scenes}) == 1


def test_scene_buttons_never_part(make_window: Callable[..., MainWindow]) -> None:
    window = make_window(PanelSettings(first_run=False, zoom=1.5))
    pane = window.pad_pane
    for width in range(240, 900, 20):
        pane.resize(width, pane.height())
        QApplication.processEvents()
        assert len({button.mapTo(pane, QPoint(0, 0)).y() for button in pane.scenes}) == 1, width


def where(widget: QWidget, window: MainWindow) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


@pytest.mark.parametrize(("size", "zoom"), [((1360, 860), 1.0), ((1024, 640), 1.0), ((1920, 1200), 1.5)])
def test_news_lie_on_nothing_but_figures(
    make_window: Callable[..., MainWindow], size: tuple[int, int], zoom: float
) -> None:
    window = make_window(PanelSettings(first_run=False, zoom=zoom), size)
    window.banner.say("A sentence of some length, which the player should read without losing the pad.", button="Undo")
    QApplication.processEvents()
    news, status = window.banner.geometry(), window.status
    for part in (window.pad_pane, window.pictures, window.left, window.right, window.keys.keyboard, status.clear,
                 status.safe, status.warming):  # fmt: skip
        assert not (part.isVisible() and where(part, window).intersects(news)), type(part).__name__
    assert window.rect().contains(news) and where(status, window).intersects(news)
    window.resize(size[0] + 90, size[1] + 60)
    QApplication.processEvents()
    assert where(status, window).intersects(window.banner.geometry()), "it goes along"


@pytest.mark.parametrize(("size", "zoom"), [((1280, 800), 1.0), ((1920, 1200), 1.5)])
def test_the_figures_stay_in_one_line(
    make_window: Callable[..., MainWindow], fake: FakeInstrument, size: tuple[int, int], zoom: float
) -> None:
    """A second line would push the keys away from under the hand."""
    window = make_window(PanelSettings(first_run=False, zoom=zoom), size)
    before = where(window.keys.keyboard, window)
    fake.extra_telemetry = {
        "latency_ms": 12.2, "jitter_ms": 10.4, "xruns": 999, "late": 999, "bridged": 999, "queue": 1234, "warm": 0.5,
        "cache_bytes": 1_999_000_000, "cpu_load": 1.0, "provider": "CPU, 2 threads", "time_ns": 1,
    }  # fmt: skip
    window.bridge.poll()
    QApplication.processEvents()
    assert len({label.mapTo(window, QPoint(0, 0)).y() for label in window.status._labels.values()}) == 1
    assert where(window.keys.keyboard, window) == before


@pytest.mark.parametrize(("size", "zoom"), [((1360, 860), 1.0), ((1920, 1200), 1.5)])
def test_the_first_steps_leave_the_pad_in_view(
    make_window: Callable[..., MainWindow], size: tuple[int, int], zoom: float
) -> None:
    window = make_window(PanelSettings(first_run=False, zoom=zoom), size)
    window.dialogs.show_welcome()
    page = window.findChild(WelcomeDialog)
    pad = window.pad_pane.pad
    marks = [*(pad.to_screen(place) for place in pad._places), pad.to_screen(pad._handle)]
    assert [mark for mark in marks if page.geometry().contains(pad.mapToGlobal(mark.toPoint()))] == []
    assert not page.geometry().contains(window.timbres.list.mapToGlobal(window.timbres.list.rect().center()))


def test_a_long_blend_leaves_the_sound_in_view(window: MainWindow) -> None:
    for name in ("Oboe", "Violin", "Trumpet", "Church Organ", "Vibraphone", "Clarinet"):
        window.tasks.add_anchor(name)
    QApplication.processEvents()
    shown = window.params.rows["attack_ms"]
    assert shown.visibleRegion().boundingRect() == shown.rect(), "volume, transposition and attack are to be seen"
    assert window.weights.rows[3].visibleRegion().boundingRect() == window.weights.rows[3].rect()
    window.weights.rows[9].slider.setFocus()
    while not window.weights.rows[10].slider.hasFocus():
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert not window.weights.rows[10].slider.visibleRegion().isEmpty(), "the rest is a scroll away"


def test_names_of_a_full_pad_cover_no_mark_and_no_name(make_window: Callable[..., MainWindow]) -> None:
    window = make_window(PanelSettings(first_run=False, zoom=2.0), (1400, 900))
    for name in ("Oboe", "Violin", "Trumpet"):
        window.tasks.add_anchor(name)
    window.pad_pane.pad.grab()
    assert [covered for *_, covered in window.pad_pane.pad.labels.spots] == [0.0] * 8


def test_the_ring_hides_no_name(window: MainWindow) -> None:
    pad = window.pad_pane.pad
    cello = pad.to_screen(pad._places[0])
    label = QRect(cello.toPoint() + QPoint(-20, pad.theme.px(18)), QSize(40, pad.theme.px(14)))

    def ink() -> set[tuple[int, int]]:
        """The brightest points where the name stands."""
        image = pad.grab(label).toImage()
        return {
            (x, y) for x in range(image.width()) for y in range(image.height()) if image.pixelColor(x, y).value() > 225
        }

    pad.set_morph((0.9, 0.9), (0.0,) * 5, jump=True)
    free = ink()
    x, y = pad.to_place(QPointF(label.center()))
    pad.set_morph((x, y), (0.0,) * 5, jump=True)
    covered = ink()
    assert free and len(free ^ covered) < 0.1 * len(free)


def test_pictures_take_in_the_sound(
    window: MainWindow, fake: FakeInstrument, clock: Callable[[], float], qtbot: QtBot
) -> None:
    fake.post(NoteOn(0, 0, 69, 120))
    before = window.pictures.rainbow._pixels.copy()
    for _ in range(4):
        clock.now_s += 0.1
        window.bridge.poll()
        qtbot.wait(3 * PICTURES_AFTER_MS)
    assert (window.pictures.rainbow._pixels != before).any()
    assert window.pictures.scope._wave.any()
    assert window.top.meter.channels[0].level_db > -30


def test_silence_is_painted_once(window: MainWindow) -> None:
    rainbow, wave = window.pictures.rainbow, 0.1 * np.sin(np.arange(1_600) * 0.3).astype(np.float32)
    frame = 0

    def heads(samples: NDArray[np.float32], seconds: float) -> set[int]:
        nonlocal frame
        found = set()
        for _ in range(round(seconds * 30)):
            frame += len(samples)
            rainbow.update_sound(Telemetry(rate_hz=48_000, scope=samples, frame=frame))
            found.add(rainbow._head)
        return found

    assert len(heads(wave, 1.0)) > 10
    heads(0.0 * wave, 20.0)
    assert len(heads(0.0 * wave, 1.0)) == 1, "nothing moves any more"
    assert (rainbow._pixels == rainbow._pixels[:, :1]).all(), "and the note has left the picture"
    assert len(heads(wave, 1.0)) > 10


def test_a_key_is_painted_once_in_each_shade(window: MainWindow) -> None:
    """32 voices whose levels move in every frame repainted 32 keys with words and round corners: half of a frame."""
    keyboard = window.keys.keyboard
    plain = keyboard.grab().toImage()
    painted: list[tuple[int, float | None]] = []
    paint = keyboard._paint_key
    keyboard._paint_key = lambda painter, key, level: (painted.append((key.pitch, level)), paint(painter, key, level))
    for turn in range(200):
        keyboard.set_lit({pitch: ((turn * 7 + pitch) % 101) / 100 for pitch in range(48, 80)})
        keyboard.grab()
    assert len(painted) == len(set(painted)) <= 34 * (SHADES + 1)
    keyboard.set_lit({60: 1.0})
    lit = keyboard.grab().toImage()
    changed = [x for x in range(lit.width()) if lit.pixel(x, lit.height() - 9) != plain.pixel(x, lit.height() - 9)]
    key = next(key for key in key_layout(*keyboard._range) if key.pitch == 60)
    assert abs(changed[0] - key.left * keyboard.width()) < 3 and abs(len(changed) - key.width * keyboard.width()) < 4
    keyboard.set_lit({})
    assert keyboard.grab().toImage() == plain


def test_moving_the_ring_lays_nothing_out_anew(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.wait(50)
    asked: list[str] = []

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            mine = isinstance(watched, QWidget) and window.right.isAncestorOf(watched)
            if event.type() == QEvent.Type.LayoutRequest and mine:
                asked.append(type(watched).__name__)
            return False

    window.morphing.press()
    window.morphing.move(0.4, 0.4)
    qtbot.wait(100)
    watch = Watch()
    QApplication.instance().installEventFilter(watch)
    for step in range(10):
        window.morphing.move(0.4 + 0.02 * step, 0.4)
        qtbot.wait(5)
    QApplication.instance().removeEventFilter(watch)
    window.morphing.release()
    assert asked == []


# ---------------------------------------------------------------------- for everyone
def controls(window: MainWindow) -> list[QWidget]:
    return [
        w for w in window.findChildren(QWidget) if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.isVisibleTo(window)
    ]


def test_everything_that_takes_the_focus_has_a_name(window: MainWindow) -> None:
    internal = ("qt_", "ScrollArea")
    nameless = []
    for widget in controls(window):
        said = widget.accessibleName() or getattr(widget, "text", lambda: "")()
        known = isinstance(widget, (QLineEdit, QComboBox)) and widget.accessibleName()
        skip = widget.objectName().startswith(internal) or type(widget).__name__ in (
            "QScrollArea",
            "QTabBar",
            "QTabWidget",
        )
        if not (said or known or skip):
            nameless.append(type(widget).__name__)
    assert nameless == []


def test_tab_reaches_every_control(window: MainWindow) -> None:
    wanted = {w for w in controls(window) if w.isEnabled()}
    reached, widget = set(), window.focusWidget() or window.top.browser
    for _ in range(400):
        reached.add(widget)
        widget = widget.nextInFocusChain()
    assert {type(w).__name__ for w in wanted - reached} == set()


def test_tab_goes_as_the_eye_does(window: MainWindow) -> None:
    window.tasks.add_anchor("Oboe")
    groups = (window.top, window.left, window.pad_pane, window.right, window.keys, window.status)
    widget, visited = window.top.browser, []
    for _ in range(400):
        group = next((i for i, group in enumerate(groups) if group.isAncestorOf(widget)), None)
        if group is not None and (not visited or visited[-1] != group):
            visited.append(group)
        widget = widget.nextInFocusChain()
        if widget is window.top.browser:
            break
    assert visited[:6] == [0, 1, 2, 3, 4, 5]
    rows = window.weights.rows
    chain, widget = [], rows[0].lock
    while widget is not window.keys.bend:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    sliders = [w for w in chain if w in [row.slider for row in rows]]
    assert sliders == [row.slider for row in rows], "the weights one after the other, the new one too"


def cut_off(root: QWidget) -> list[tuple[str, int, int]]:
    """Words of a window that have less room than they need."""
    cut = []
    for widget in root.findChildren(QWidget):
        text = getattr(widget, "text", None)
        plain = isinstance(widget, (QLabel, QPushButton, QCheckBox))
        if not plain or not widget.isVisibleTo(root) or not text():
            continue
        if isinstance(widget, QLabel) and widget.wordWrap():
            needed = max(map(widget.fontMetrics().horizontalAdvance, text().split()))
        else:
            needed = widget.fontMetrics().horizontalAdvance(text().replace("&", ""))
        if needed > widget.width() + 1 or widget.fontMetrics().height() > widget.height() + 1:
            cut.append((text(), needed, widget.width()))
    return cut


@pytest.mark.parametrize("zoom", [1.0, 1.25, 1.5, 2.0])
def test_no_words_are_cut_off(make_window: Callable[..., MainWindow], zoom: float) -> None:
    window = make_window(PanelSettings(first_run=False, zoom=zoom), (1360, 860))
    window.top.browser.setChecked(True)
    window.top.controls.setChecked(True)
    QApplication.processEvents()
    assert cut_off(window) == []
    for show, kind in (
        (window.dialogs.show_settings, SettingsDialog),
        (window.dialogs.show_keys, HelpDialog),
        (window.dialogs.show_welcome, WelcomeDialog),
    ):
        show()
        dialog = window.findChild(kind)
        for page in range(dialog.tabs.count() if kind is SettingsDialog else 1):
            if kind is SettingsDialog:
                dialog.tabs.setCurrentIndex(page)
            QApplication.processEvents()
            assert cut_off(dialog) == [], (kind.__name__, page)
            screen = dialog.screen().availableSize()
            assert dialog.width() <= screen.width() and dialog.height() <= screen.height(), kind.__name__


def test_the_window_fits_a_small_screen(make_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    window = make_window(size=(1024, 640))
    bars = (window.face.verticalScrollBar(), window.face.horizontalScrollBar())
    qtbot.waitUntil(lambda: not any(bar.isVisible() for bar in bars), timeout=3000)


def test_both_themes_draw(make_window: Callable[..., MainWindow], fake: FakeInstrument) -> None:
    fake.post(NoteOn(0, 0, 61, 100))
    for theme in ("dark", "light"):
        window = make_window(PanelSettings(first_run=False, theme=theme))
        window.bridge.poll()
        image = window.grab().toImage()
        corner = image.pixelColor(2, 2)
        assert (corner.lightnessF() < 0.3) == (theme == "dark")
