"""Use a GPU, or say what is missing for it.

``python -m spacy_hgn.backend.gpu 0`` prints the GPU or what is missing. With ``--driver 13x``, it
checks only whether the driver supports CUDA 13, before anything is installed.
"""

import argparse
import ctypes
import os
import platform
import sys
from importlib import import_module
from textwrap import shorten
from typing import Any

PIP = f"{sys.executable} -m pip"
NO_DRIVER = "there is no NVIDIA driver: install one, until nvidia-smi shows the GPU"


class GpuError(ValueError):
    """The GPU can't be used. The message, one line, says what to do."""


def use_gpu(gpu_id: int) -> None:
    """Compute on a GPU from now on, with memory managed by torch. Negative ids change nothing.

    Raises GpuError if something is missing for the GPU.
    """
    if gpu_id < 0:
        return
    from thinc.api import require_gpu, set_gpu_allocator

    check_gpu(gpu_id)
    require_gpu(gpu_id)
    set_gpu_allocator("pytorch")
    _try_out(gpu_id)


def check_gpu(gpu_id: int) -> None:
    """Raise GpuError if something is missing for a GPU. Negative ids are never an error."""
    if gpu_id < 0 or platform.system() == "Darwin":  # Thinc checks Apple's GPUs
        return
    import torch

    driver = driver_cuda()
    found = (
        None if driver else NO_DRIVER,
        _missing_in_torch(torch, driver),
        _missing_in_cupy(_extra(torch, driver)),
    )
    missing = [text for text in found if text]
    if not missing:
        cupy = import_module("cupy")
        last = _other_cuda(torch, cupy) or _old_driver(cupy, driver) or _missing_gpu(cupy, gpu_id)
        missing = [last] if last else []
    if missing:
        raise GpuError(f"Can't use GPU {gpu_id}: {'; '.join(missing)} (see docs/gpu.md)")


def check_driver(cuda: int) -> None:
    """Raise GpuError if the NVIDIA driver doesn't support a major version of CUDA."""
    if not (knows := driver_cuda()):
        raise GpuError(f"Can't use a GPU: {NO_DRIVER} (see docs/gpu.md)")
    if knows < cuda:
        raise GpuError(
            f"Can't use a GPU: the NVIDIA driver supports CUDA {knows}, but the packages to "
            f"install are for CUDA {cuda}: make demo GPU=0 CUDA={knows}x (see docs/gpu.md)"
        )


def driver_cuda() -> int:
    """The major version of CUDA that the NVIDIA driver supports; 0 without a driver."""
    windows = platform.system() == "Windows"
    try:
        driver = ctypes.CDLL("nvcuda.dll" if windows else "libcuda.so.1")
    except OSError:
        return 0
    version = ctypes.c_int(0)
    failed = driver.cuDriverGetVersion(ctypes.byref(version))
    return 0 if failed else version.value // 1000


def _missing_in_torch(torch: Any, driver: int) -> str | None:
    if torch.version.cuda is not None:
        return None
    release, _, build = torch.__version__.partition("+")
    told = f"torch {torch.__version__} is built without CUDA"
    if not build or platform.system() != "Linux":
        return f"{told}: install the build that PyTorch's page names for your CUDA"
    if 0 < driver < 13:
        return f"{told}: {PIP} uninstall torch, then the extra for CUDA {driver}"
    return f"{told}: {PIP} install 'torch==={release}'"


def _missing_in_cupy(extra: str) -> str | None:
    install = f"{PIP} install 'spacy-hgn[{extra}]'"
    try:
        import_module("cupy")
        import_module("cupy.cublas")  # as Thinc does
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            return f"CuPy isn't installed: {install}"
        return f"CuPy lacks {error.name}: {install}"
    except ImportError as error:
        return f"CuPy can't be loaded ({_first_line(error)}): {install}"
    return None


def _other_cuda(torch: Any, cupy: Any) -> str | None:
    of_cupy, of_torch = _cuda_of(cupy), torch.version.cuda
    if str(of_cupy) == of_torch.partition(".")[0]:
        return None
    return (
        f"CuPy is built for CUDA {of_cupy}, but torch for CUDA {of_torch}: "
        f"{PIP} uninstall cupy-cuda{of_cupy}x && {PIP} install 'spacy-hgn[{_extra(torch)}]'"
    )


def _old_driver(cupy: Any, knows: int) -> str | None:
    if knows >= (wanted := _cuda_of(cupy)):
        return None
    return (
        f"the NVIDIA driver supports CUDA {knows}, but torch and CuPy are built for CUDA {wanted}: "
        f"install a newer driver, or {PIP} uninstall torch cupy-cuda{wanted}x && "
        f"{PIP} install 'spacy-hgn[cuda{knows}x]'"
    )


def _missing_gpu(cupy: Any, gpu_id: int) -> str | None:
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"the NVIDIA driver fails ({_first_line(error)}): ask nvidia-smi, or restart"
    if gpu_id < count:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    because = "" if visible is None else f", since CUDA_VISIBLE_DEVICES is {visible!r}"
    if count == 0:
        return f"no GPU is there{because}: nvidia-smi must show it"
    there = "one is there, GPU 0" if count == 1 else f"{count} are there, GPUs 0 to {count - 1}"
    return f"{there}{because}: --gpu-id 0"


def _try_out(gpu_id: int) -> None:
    """Raise GpuError if CuPy or torch can't compute a sum on the GPU."""
    import torch
    from thinc.api import get_current_ops, get_torch_default_device

    device = get_torch_default_device()
    if device.type != "cuda":
        return
    from .gpu_errors import explain_gpu_error

    try:
        get_current_ops().xp.arange(2).sum().item()
        torch.ones(2, device=device).sum().item()
    except Exception as error:  # of any kind, from their libraries
        told = explain_gpu_error(error) or f"{type(error).__name__}: {_first_line(error)}"
        raise GpuError(
            f"GPU {gpu_id} doesn't compute: {told}. Perhaps CUDA's libraries don't match it: "
            f"{PIP} install 'spacy-hgn[{_extra(torch)}]' (see docs/gpu.md)"
        ) from error


def _extra(torch: Any, driver: int = 0) -> str:
    """The extra for torch's CUDA; if torch has none, the extra for the driver's CUDA."""
    if torch.version.cuda is None:
        return "cuda12x" if driver == 12 else "cuda13x"
    return f"cuda{torch.version.cuda.partition('.')[0]}x"


def _cuda_of(cupy: Any) -> int:
    return cupy.cuda.runtime.runtimeGetVersion() // 1000


def _first_line(error: Exception) -> str:
    return shorten(str(error).strip().partition("\n")[0], 100, placeholder=" ...")


def describe_gpu() -> str:
    """Describe the GPU in use, in one line."""
    import torch

    if not torch.cuda.is_initialized():
        return "No GPU is in use"
    free, size = torch.cuda.mem_get_info()
    return (
        f"GPU {torch.cuda.current_device()}: {torch.cuda.get_device_name()}, CUDA "
        f"{torch.version.cuda}, {free / 2**30:.1f} of {size / 2**30:.1f} GiB are free"
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m spacy_hgn.backend.gpu", description=__doc__)
    parser.add_argument("gpu_id", type=int, nargs="?", default=0, help="number of the GPU")
    parser.add_argument("--driver", choices=("12x", "13x"), help="check the driver only")
    arguments = parser.parse_args()
    try:
        if arguments.driver:
            return check_driver(int(arguments.driver.rstrip("x")))
        use_gpu(arguments.gpu_id)
    except GpuError as error:
        sys.exit(str(error))
    print(describe_gpu())


if __name__ == "__main__":
    main()
