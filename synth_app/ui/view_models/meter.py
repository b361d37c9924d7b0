"""Level meter ballistics: up at once, down in dB a second, a peak that holds, a clip lamp that stays lit."""

from __future__ import annotations

from synth_app.core.units import gain_to_db

FLOOR_DB = -60.0
FALL_DB_PER_S = 26.0
HOLD_S = 1.5


class MeterModel:
    """One channel of a level meter. Levels in dBFS."""

    def __init__(self) -> None:
        self.level_db = FLOOR_DB
        self.peak_db = FLOOR_DB
        self.clipped = False
        self._peak_at_s = 0.0
        self._now_s = 0.0

    def update(self, now_s: float, gain: float) -> None:
        """Take the highest sample since the last update (linear; a NaN counts as silence)."""
        elapsed, self._now_s = max(0.0, now_s - self._now_s), now_s
        heard = max(FLOOR_DB, gain_to_db(gain)) if gain == gain else FLOOR_DB
        self.level_db = max(heard, self.level_db - FALL_DB_PER_S * elapsed, FLOOR_DB)
        if heard >= self.peak_db:
            self.peak_db, self._peak_at_s = heard, now_s
        elif now_s - self._peak_at_s > HOLD_S:
            self.peak_db = max(self.level_db, self.peak_db - FALL_DB_PER_S * elapsed)
        self.clipped = self.clipped or gain >= 1.0

    def reset(self) -> None:
        """Clear the clip lamp and the held peak."""
        self.clipped, self.peak_db = False, self.level_db

    @staticmethod
    def share(level_db: float) -> float:
        """Height of a level on the scale, 0..1; the upper decibels take more room."""
        linear = min(1.0, max(0.0, (level_db - FLOOR_DB) / -FLOOR_DB))
        return float(linear**1.5)
