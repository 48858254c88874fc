"""Memory on a CPU: freed after a long text, and bounded in a long-running process."""

import ctypes
import math
import mmap
import os
import sys

import torch
from torch import Tensor

PRIVATE = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)

KEPT_KERNELS = "64"
"""Enough for several texts; oneDNN's default is 1,024."""


def limit_kept_kernels() -> None:
    """Limit oneDNN's cache of kernels, which has one for each shape of a tensor.

    A kernel is small, but it fragments the memory that large tensors free, so that it fits no
    other tensor. The memory then grows with every new length of a text. This has no effect if
    ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` is already set, or after the first kernel was made.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT_KERNELS)


def sparse_zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Zeros. On a CPU with Linux, only pages that are written to take memory.

    Most rows of a long text are far shorter than the longest. The huge pages that allocators
    prefer would hold the padding too.
    """
    if like.device.type != "cpu" or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return like.new_zeros(shape)
    memory = mmap.mmap(-1, math.prod(shape) * like.element_size(), flags=PRIVATE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(memory, dtype=like.dtype).view(shape)


def give_back_freed() -> None:
    """Return freed memory to the system, if the C library can (glibc).

    By default, glibc keeps the gaps between used blocks. If each group of rows has tensors of a
    different size, they fit none of these gaps.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
