"""Where a figure comes from: releases, revision, machine."""

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = (
    "spacy-hgn", "spacy", "spacy-transformers", "thinc", "transformers", "tokenizers", "torch",
    "numpy",
)  # fmt: skip
CODE = Path(__file__).parent


def describe_software() -> dict[str, str]:
    """The releases that a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def describe_revision() -> dict[str, Any]:
    """The git revision of this package's code, and whether the code differs from it; None
    where it isn't under git."""
    revision = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", str(CODE)) if revision else None
    return {"revision": revision, "dirty": bool(changes) if revision else None}


def describe_machine(gpu_id: int) -> dict[str, Any]:
    """What it's computed on. gpu_id: below 0 for the processor."""
    import torch

    device = torch.cuda.get_device_name(gpu_id) if gpu_id >= 0 else "cpu"
    return {"device": device, "processor": processor()}


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
