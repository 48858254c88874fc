"""Memory that a long text takes from the system, and gives back."""

import ctypes
import math
import mmap
import sys

import torch
from torch import Tensor

PRIVATE = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)


def sparse_zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Zeros; on Linux, only those pages take a processor's memory that are written to.

    Most of a long text's rows are far shorter than the longest, and the huge pages that
    allocators prefer would hold the padding too.
    """
    if like.device.type != "cpu" or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return like.new_zeros(shape)
    memory = mmap.mmap(-1, math.prod(shape) * like.element_size(), flags=PRIVATE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(memory, dtype=like.dtype).view(shape)


def give_back_freed() -> None:
    """Give freed memory back to the system where the C library can (glibc).

    Left to itself it keeps what lies between blocks in use, and tensors of ever other
    shapes, group after group, find no hole that fits.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
