"""Publishing integers between threads without locks: atomic loads and stores that compiled code and Python share.

A value is published with a release store and read with an acquire load, so whatever was written before it is visible to
whoever sees it, on every processor (x86 and Arm alike). The operations are LLVM's, reached through numba intrinsics.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray


def _element_pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, [args[1]])


@intrinsic
def load_acquire(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index]`` of an int64 array, with acquire ordering."""
    signature = types.int64(array, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element_pointer(context, builder, signature, args)
        return builder.load_atomic(pointer, ordering="acquire", align=8, typ=ir.IntType(64))

    return signature, generate


@intrinsic
def store_release(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """``array[index] = value`` of an int64 array, with release ordering."""
    signature = types.void(array, types.intp, types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element_pointer(context, builder, signature, args)
        builder.store_atomic(args[2], pointer, ordering="release", align=8)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def as_pointer(typing_context: Any, address: Any) -> Any:
    """An integer address as a void pointer, for ``numba.carray``."""
    signature = types.voidptr(types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return signature, generate


@njit(cache=True)
def _load(array: NDArray[np.int64], index: int) -> int:
    return int(load_acquire(array, index))


@njit(cache=True)
def _store(array: NDArray[np.int64], index: int, value: int) -> None:
    store_release(array, index, value)


def read_shared(array: NDArray[np.int64], index: int) -> int:
    """Read one int64 that another thread publishes."""
    return int(_load(array, index))


def write_shared(array: NDArray[np.int64], index: int, value: int) -> None:
    """Publish one int64, after everything written before it."""
    _store(array, index, value)
