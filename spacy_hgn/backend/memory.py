"""Memory on a processor: a long text gives it back, and a service's doesn't grow."""

import ctypes
import math
import mmap
import os
import sys

import torch
from torch import Tensor

PRIVATE = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)

KEPT_KERNELS = "64"
"""Several texts' worth; 1,024 is oneDNN's own."""


def limit_kept_kernels() -> None:
    """Have oneDNN keep few of the kernels that it makes, one for each shape of a tensor.

    Each is small, but stays where it was made, between the blocks of memory that large tensors
    leave behind: these then fit no other tensor, and memory grows with every new length of a
    text. No effect where ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` is set already, nor after
    the process has made its first kernel.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT_KERNELS)


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

    Left to itself it keeps the gaps between blocks in use. Where each group of rows has tensors
    of another size than the one before, they fit none of these gaps.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
