"""How the scripts in peers/ are run: each library's own virtual environment, and its threads."""

import os
import subprocess
import sys
from pathlib import Path

from common import ROOT

SCRIPTS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / "benchmarks" / ".venvs"


def environment(name: str, log: Path) -> Path | None:
    """The Python with the requirements peers/NAME.txt, this one where there is no such file; None
    where they can't be installed."""
    requirements = SCRIPTS / f"{name}.txt"
    if not requirements.exists():
        return Path(sys.executable)
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    installed = folder / "installed.txt"
    if installed.exists() and installed.read_text() == requirements.read_text():
        return python
    print(f"{folder.relative_to(ROOT)}: installing", flush=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", "--clear", folder], [*pip, "-r", requirements]):
        with log.open("a") as errors:
            if subprocess.run(command, stdout=errors, stderr=errors).returncode:
                return None
    installed.write_text(requirements.read_text())
    return python


def variables(threads: int) -> dict[str, str]:
    """The environment variables of a script."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "benchmarks"),
        "OMP_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),  # the tokenizers'
        "HF_HUB_OFFLINE": "1",
    }


def last_words(log: Path) -> str:
    """Why there are no results: the last line of what the installation or the script said."""
    lines = [line.strip() for line in log.read_text().splitlines() if line.strip()]
    return lines[-1] if lines else "It ended without a word."
