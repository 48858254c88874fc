"""Errors of the GPU, whichever library raises them: which those are, and what helps."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .gpu import GpuError

LIBRARIES = ("cupy", "cupy_backends", "triton")
TYPES = {"AcceleratorError", "OutOfMemoryError", "CudaError", "DistBackendError"}
"""Of torch: it has them in several of its modules."""
TOLD = re.compile(
    r"CUDA error|CUDA driver error|CUDA out of memory|cudaError|CUDA_ERROR_|cuDNN|"
    r"CU(DNN|BLAS|BLASLT|RAND|SPARSE|SOLVER|FFT)_STATUS_|NCCL|NVRTC|device-side assert|"
    r"illegal memory access|no kernel image is available",
    re.IGNORECASE,
)
FULL = re.compile(r"out.of.memory|STATUS_ALLOC_FAILED|MemoryAllocation", re.IGNORECASE)


@contextmanager
def telling_gpu_errors() -> Iterator[None]:
    """Raise GpuError, with what helps, in the place of an error of the GPU."""
    try:
        yield
    except Exception as error:
        if isinstance(error, GpuError) or (told := explain(error)) is None:
            raise
        raise GpuError(told) from error


def explain(error: BaseException) -> str | None:
    """What to tell of an error of the GPU, in one line; None if it's of something else.

    An error that only follows from one of the GPU's counts as one too.
    """
    for each in _chain(error):
        if _is_of_gpu(each):
            return _tell(each)
    if _answers():
        return None
    return f"The GPU doesn't answer any more, after {_in_one_line(error)}"


def _is_of_gpu(error: BaseException) -> bool:
    for kind in type(error).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in LIBRARIES or (library == "torch" and kind.__name__ in TYPES):
            return True
    # Of cuDNN, cuBLAS and NCCL torch raises plain RuntimeErrors. A text that a component quotes
    # may speak of CUDA too, but no error of a GPU comes from a process that uses none.
    return isinstance(error, RuntimeError) and _is_in_use() and bool(TOLD.search(str(error)))


def _tell(error: BaseException) -> str:
    told = _in_one_line(error)
    if not (type(error).__name__ == "OutOfMemoryError" or FULL.search(told)):
        return f"The GPU fails: {told}"
    return (
        f"The GPU's memory is full{_memory()}. Give it fewer texts at once (--batch-size; "
        "batch_size of nlp.pipe; training.batcher) or fewer tokens (max_batch_items of the "
        f"component transformer), or end what else is on it (nvidia-smi shows it). {told}"
    )


def _memory() -> str:
    """How much there is, where the GPU still tells."""
    if not _is_in_use():
        return ""
    try:
        free, size = sys.modules["torch"].cuda.mem_get_info()
    except RuntimeError:
        return ""
    return f": {free / 2**30:.1f} of {size / 2**30:.1f} GiB are free"


def _answers() -> bool:
    """Whether the GPU can be used still; after some errors, nothing works till the process ends."""
    if not _is_in_use():
        return True
    try:
        sys.modules["torch"].cuda.synchronize()
    except Exception:  # of one type or another, by torch's release
        return False
    return True


def _is_in_use() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it comes from, as Python shows them."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        context = None if following.__suppress_context__ else following.__context__
        following = following.__cause__ or context


def _in_one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
