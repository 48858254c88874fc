"""Recognize errors of the GPU from any library, and say what helps."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .gpu import GpuError

LIBRARIES = ("cupy", "cupy_backends", "triton")
TYPES = {"AcceleratorError", "OutOfMemoryError", "CudaError", "DistBackendError"}
"""Error types of torch, which are in several of its modules."""
TOLD = re.compile(
    r"CUDA error|CUDA driver error|CUDA out of memory|cudaError|CUDA_ERROR_|cuDNN|"
    r"CU(DNN|BLAS|BLASLT|RAND|SPARSE|SOLVER|FFT)_STATUS_|NCCL|NVRTC|device-side assert|"
    r"illegal memory access|no kernel image is available",
    re.IGNORECASE,
)
FULL = re.compile(r"out.of.memory|STATUS_ALLOC_FAILED|MemoryAllocation", re.IGNORECASE)


@contextmanager
def telling_gpu_errors() -> Iterator[None]:
    """Turn errors of the GPU into GpuError, with advice."""
    try:
        yield
    except Exception as error:
        if isinstance(error, GpuError) or (told := explain_gpu_error(error)) is None:
            raise
        raise GpuError(told) from error


def explain_gpu_error(error: BaseException) -> str | None:
    """Explain an error of the GPU in one line; None for any other error.

    Errors caused by an error of the GPU count too.
    """
    for each in _chain(error):
        if _is_of_gpu(each):
            return _tell(each)
    if _answers():
        return None
    return f"The GPU doesn't answer any more after {_in_one_line(error)}"


def _is_of_gpu(error: BaseException) -> bool:
    for kind in type(error).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in LIBRARIES or (library == "torch" and kind.__name__ in TYPES):
            return True
    # For cuDNN, cuBLAS and NCCL, torch raises plain RuntimeErrors. A quoted text may mention CUDA
    # too, but a process that uses no GPU has no errors of a GPU.
    return isinstance(error, RuntimeError) and _is_in_use() and bool(TOLD.search(str(error)))


def _tell(error: BaseException) -> str:
    told = _in_one_line(error)
    if not (type(error).__name__ == "OutOfMemoryError" or FULL.search(told)):
        return f"The GPU fails: {told}"
    return (
        f"The GPU's memory is full{_memory()}. Use fewer texts per batch (--batch-size; "
        "batch_size of nlp.pipe; training.batcher) or fewer tokens (max_batch_items of the "
        f"component transformer), or stop other processes on it (see nvidia-smi). {told}"
    )


def _memory() -> str:
    """The free memory, if the GPU still answers."""
    if not _is_in_use():
        return ""
    try:
        free, size = sys.modules["torch"].cuda.mem_get_info()
    except RuntimeError:
        return ""
    return f": {free / 2**30:.1f} of {size / 2**30:.1f} GiB are free"


def _answers() -> bool:
    """Whether the GPU still works: after some errors, this process can't use it any more."""
    if not _is_in_use():
        return True
    try:
        sys.modules["torch"].cuda.synchronize()
    except Exception:  # the type depends on torch's release
        return False
    return True


def _is_in_use() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, as Python shows them."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        context = None if following.__suppress_context__ else following.__context__
        following = following.__cause__ or context


def _in_one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
