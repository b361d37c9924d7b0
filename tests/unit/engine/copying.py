"""A finisher for tests that play thousands of notes: each is rendered once, and copied from then on."""

from __future__ import annotations

import numpy as np

from synth_app.core.keys import NoteKey
from synth_app.core.shared import write_shared
from synth_app.render.finish import Finisher
from synth_app.render.note import AVAILABLE, FINAL, Note
from synth_app.render.ports import Generator


class CopyingFinisher(Finisher):
    """See the module."""

    rendered: dict[NoteKey, Note] = {}  # noqa: RUF012

    def extend(self, note: Note, generator: Generator, stop_frame: int) -> None:
        whole = self.rendered.get(note.key)
        if whole is None:
            whole = self.rendered[note.key] = self.new_note(note.key, note.latent)
            super().extend(whole, generator, self.frames)
        note.prepare()
        start, stop = note.available, whole.available if stop_frame == self.frames else self.samples_after(stop_frame)
        note.audio[start:stop] = whole.audio[start:stop]
        note.log_mel[:stop_frame] = whole.log_mel[:stop_frame]
        note.inst_freq[:stop_frame] = whole.inst_freq[:stop_frame]
        note.have[self.first_frame : stop_frame] = True
        note.kept = int(np.count_nonzero(note.have))
        note.next_frame = stop_frame
        write_shared(note.progress, AVAILABLE, stop)
        write_shared(note.progress, FINAL, int(stop_frame == self.frames))
