"""Where a figure comes from: releases, revision, machine."""

import platform
import shutil
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "spacy-hgn", "spacy", "spacy-transformers", "thinc", "transformers", "tokenizers", "torch",
    "numpy",
)  # fmt: skip
CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy")
"""Its name says which CUDA it is for."""
CODE = Path(__file__).parent


def describe_software() -> dict[str, str]:
    """The releases that a result depends on; CuPy's where it is installed."""
    found = [dist.version for name in CUPY for dist in distributions(name=name)]
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **({"cupy": found[0]} if found else {}),
    }


def describe_revision() -> dict[str, Any]:
    """The git revision of this package's code, and whether the code differs from it; None
    where it isn't under git."""
    revision = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", str(CODE)) if revision else None
    return {"revision": revision, "dirty": bool(changes) if revision else None}


def describe_machine(gpu_id: int) -> dict[str, Any]:
    """What it's computed on. gpu_id: below 0 for the processor."""
    import torch

    device = torch.device("cpu" if gpu_id < 0 else f"cuda:{gpu_id}")
    return {"device": device_name(device), "processor": processor()}


def device_name(device: "torch.device") -> str:
    """A GPU's own name; else what kind of device it is."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def processor() -> str:
    """The processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git(*words: str) -> str | None:
    if not shutil.which("git"):
        return None
    done = subprocess.run(["git", *words], cwd=CODE, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
