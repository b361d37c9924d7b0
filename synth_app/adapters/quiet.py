"""Keeps C libraries from writing to the player's terminal while they look around.

ALSA and JACK say on stderr whatever they do not find, even when not finding it is quite in order (no sound card, no
server); what matters of it reaches the player in our own words.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere while the block runs; Python's own words before it are kept."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr to keep quiet
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
