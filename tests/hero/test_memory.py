"""The memory of a process that reads texts of ever new lengths on a CPU."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

READ = """
import random, torch
from spacy_transformers.span_getters import get_doc_spans
from spacy_hgn.architectures import build_transformer_model

def resident():
    fields = dict(line.split(":") for line in open("/proc/self/status"))
    return int(fields["VmRSS"].split()[0]) / 1024

torch.set_num_threads(1)
build_transformer_model("a-hero", get_doc_spans)
numbers, r = torch.zeros(5 * 500 * 1536), random.Random(0)
for i in range(600):
    rows, places = r.randint(1, 5), r.randint(10, 500)
    torch.nn.functional.gelu(numbers[: rows * places * 1536].view(rows, places, 1536))
    if i == 50:
        before = resident()
print(resident() - before)
"""
"""The activation alone, of tensors as large as a small Hero's: it is what kept memory."""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_settles():
    ran = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 150  # megabytes; with oneDNN's own limit it is some 250
