"""The threads of the engine room outlive what goes wrong in their steps."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytest

from synth_app.app.engine_room import EngineRoom
from synth_app.core.errors import ModelError
from synth_app.engine.inbox import Inbox
from tests.helpers.log_rule import ExpectLog


@pytest.mark.parametrize(
    ("error", "sentence", "log"),
    [
        (ModelError("The model is gone."), "The model is gone.", nullcontext()),
        (IndexError("12"), "the instrument plays on", "rendering failed"),
    ],
)
def test_a_step_that_fails_is_told_of_and_ends_no_thread(
    error: Exception, sentence: str, log: AbstractContextManager[None] | str, expect_log: ExpectLog
):
    said: list[str] = []
    room = EngineRoom(cast(Any, None), {}, Inbox(), cast(Any, None), lambda bank, program: None, said.append)

    def fails() -> bool:
        raise error

    with expect_log(log) if isinstance(log, str) else log:
        assert room._guarded("rendering", fails) is False
    assert len(said) == 1
    assert sentence in said[0]
    assert room._guarded("rendering", lambda: True) is True
