"""Keep the memory that is freed. The trainer's tensors are tens of megabytes each, and by default the C library gives
every such block back to the system and fetches, and zeroes, a new one: half of a training step, where measured.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_KEPT_BYTES = 1 << 29


def keep_freed_memory() -> bool:
    """Tell glibc to serve large blocks, for every thread, from one heap and never to shrink it.

    ``False`` where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, _KEPT_BYTES))
    return all(mallopt(option, value) == 1 for option, value in settings)
