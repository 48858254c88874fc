"""The Gang's kernels, which a GPU runs, in Triton's interpreter; tests/gpu has them on a GPU."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("interpreted_kernels.py")


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton, which is for Linux, isn't installed"
)
def test_kernels_in_the_interpreter():
    # Triton decides when it is imported whether kernels are compiled or interpreted.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(SCRIPT)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
