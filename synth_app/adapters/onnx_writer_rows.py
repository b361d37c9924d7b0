"""Which rows (spectral frames, at every resolution) a slice of a note needs.

Block ``b`` works on ``2**b`` rows. Both its convolutions look one row up and one down, and its input is the output of
block ``b - 1`` with every row doubled. Asked for rows ``out0..out1`` (half-open) of its output a block computes

* ``mid0..mid1``: rows of its first convolution, one more on each side, cut at the note's ends;
* ``win0..win1``: windows of the folded first convolution: window ``w`` reads low rows ``w, w + 1`` and gives rows
  ``2w + 1, 2w + 2`` (see ``onnx_writer_layout``);
* ``in0..in1``: rows of the block below.

Rows outside the note are zeros at the input of every convolution: SAME padding, as in training. Block 1 is always
computed whole (two rows).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockRows:
    """The half-open row ranges of one block; see the module."""

    block: int
    in0: int
    in1: int
    win0: int
    win1: int
    mid0: int
    mid1: int
    out0: int
    out1: int

    @property
    def height(self) -> int:
        """Rows of a whole note at this block."""
        return int(2**self.block)


def plan_block(block: int, out0: int, out1: int) -> BlockRows:
    """The ranges of one block (2 or higher) for output rows ``out0..out1``."""
    height = 2**block
    mid0, mid1 = max(0, out0 - 1), min(height, out1 + 1)
    win0, win1 = (mid0 - 1) // 2, mid1 // 2
    in0, in1 = max(0, win0), min(height // 2, win1 + 1)
    if block == 2:
        in0, in1 = 0, 2
    return BlockRows(block, in0, in1, win0, win1, mid0, mid1, out0, out1)


def plan_rows(start: int, stop: int, first_block: int, last_block: int) -> list[BlockRows]:
    """Ranges of blocks ``first_block..last_block`` (inclusive, lowest first) for rows ``start..stop`` of the last."""
    rows: list[BlockRows] = []
    for block in range(last_block, first_block - 1, -1):
        rows.append(plan_block(block, start, stop))
        start, stop = rows[-1].in0, rows[-1].in1
    return rows[::-1]
