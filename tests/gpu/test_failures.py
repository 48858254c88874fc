"""A GPU that is full, and one that isn't there."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import torch
from component.helpers import DATA, TEXTS
from typer.testing import CliRunner

from spacy_hgn.backend.gpu_errors import explain_gpu_error
from spacy_hgn.cli import hgn_cli

from .helpers import DEVICE, DRY, entities, needs_cuda

LARGE = [" ".join(TEXTS * 2)] * 400
EXPECTED = [ents for _, ents in DATA]


@contextmanager
def full_gpu() -> Iterator[None]:
    """No more memory is to be had for the time being, nor is there a block that is free."""
    gc.collect()
    torch.cuda.empty_cache()
    taken = []
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        for size in (2**21, 2**17):
            with suppress(torch.OutOfMemoryError):
                while True:
                    taken.append(torch.empty(size, dtype=torch.uint8, device=DEVICE))
        yield
    finally:
        taken.clear()
        torch.cuda.set_per_process_memory_fraction(1.0)


@needs_cuda
def test_a_full_gpu_is_told_and_the_pipeline_goes_on_afterwards(tiny_nlp):
    assert entities(tiny_nlp, TEXTS) == EXPECTED
    with full_gpu(), pytest.raises(torch.OutOfMemoryError) as raised:
        list(tiny_nlp.pipe(LARGE))
    told = explain_gpu_error(raised.value)
    assert told is not None
    for word in ("memory is full", "batch_size", "max_batch_items"):
        assert word in told
    del raised
    assert entities(tiny_nlp, TEXTS) == EXPECTED
    assert len(list(tiny_nlp.pipe(LARGE))) == len(LARGE)


def annotate(folder, tmp_path, gpu_id):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS), "utf8")
    arguments = [folder, tmp_path / "texts.txt", tmp_path / "out", "--to", "docbin"]
    return CliRunner().invoke(hgn_cli, ["annotate", *map(str, arguments), "--gpu-id", str(gpu_id)])


def test_a_gpu_that_is_not_there_is_told_in_one_line(cnn_folder, tmp_path):
    done = annotate(cnn_folder, tmp_path, 99)
    assert done.exit_code == 1
    (told,) = [line for line in done.output.splitlines() if "GPU 99" in line]
    assert "--gpu-id 0" in told or DRY
    assert "Traceback" not in done.output


def test_annotate_on_the_gpu(cnn_folder, tmp_path):
    done = annotate(cnn_folder, tmp_path, -1 if DRY else 0)
    assert done.exit_code == 0, done.output
    assert "4 documents" in done.output
    assert "7 entities" in done.output
