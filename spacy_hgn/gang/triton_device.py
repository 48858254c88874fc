"""Which way windows are read: all together by Triton's kernels, or one after the other by torch."""

import importlib.util
import logging
from functools import cache

import torch
from torch import Tensor

logger = logging.getLogger("spacy_hgn")


def reads_together(recurrence: str, z: Tensor) -> bool:
    """Whether all windows of the vectors ``z`` are read by the kernels of ``lstm_triton.py``.

    They are for an LSTM on a GPU of NVIDIA's, from Ampere on. Everything else, and a GPU for which
    Triton can't compile, goes the plain way of ``lstm.py`` and ``recurrent.py``, on its device.
    """
    is_meant_for = recurrence == "lstm" and z.dtype != torch.float64
    return is_meant_for and z.is_cuda and torch.version.hip is None and can_compile(z.device)


@cache
def can_compile(device: torch.device) -> bool:
    """Whether Triton compiles and runs a kernel on the device; says once why it can't."""
    if importlib.util.find_spec("triton") is None:
        why = "Triton isn't installed (pip install triton)"
    elif torch.cuda.get_device_capability(device) < (8, 0):
        why = f"Triton has no kernels for {torch.cuda.get_device_name(device)}"
    else:
        from .lstm_triton import probe

        # Whatever hinders it: no C compiler, a driver that is too old, a read-only cache ...
        try:
            return probe(device)
        except Exception as error:
            why = f"Triton can't compile: {type(error).__name__}: {error}"
    logger.warning("On %s the Gang is read window by window, which is slower: %s.", device, why)
    return False
