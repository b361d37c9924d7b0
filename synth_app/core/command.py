"""What the player types to run this program, for sentences that name a command."""

from __future__ import annotations

import os

COMMAND = os.environ.get("SYNTH_APP_COMMAND", "synth-app")
"""``synth-app``, or ``./play``, which passes commands on, where that started it."""
