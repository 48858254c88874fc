"""Whether Triton kernels compute all windows together, or torch one after the other."""

import importlib.util
import logging
from functools import cache

import torch
from torch import Tensor

logger = logging.getLogger("spacy_hgn")


def reads_together(recurrence: str, z: Tensor) -> bool:
    """Whether the kernels of ``lstm_triton.py`` compute all windows of vectors ``z`` on a GPU.

    They are for an LSTM on NVIDIA GPUs from Ampere on. Other cases, including a GPU for which
    Triton can't compile, use ``lstm.py`` and ``recurrent.py`` on the same device.
    """
    is_meant_for = recurrence == "lstm" and z.dtype != torch.float64
    return is_meant_for and torch.version.hip is None and can_compile(z.device)


@cache
def can_compile(device: torch.device) -> bool:
    """Whether Triton can compile and run a kernel on the device. If not, warns once."""
    if importlib.util.find_spec("triton") is None:
        why = "Triton isn't installed (pip install triton)"
    elif torch.cuda.get_device_capability(device) < (8, 0):
        why = f"Triton has no kernels for {torch.cuda.get_device_name(device)}"
    else:
        from .lstm_triton import probe

        # Any cause: no C compiler, an old driver, a read-only cache ...
        try:
            return probe(device)
        except Exception as error:
            why = f"Triton can't compile: {type(error).__name__}: {error}"
    logger.warning("On %s windows are computed one by one, which is slower: %s.", device, why)
    return False
