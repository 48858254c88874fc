"""Errors of the GPU end the run, whatever their wording; none makes a document a failed one."""

import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc

from spacy_hgn.annotate.settings import AnnotateError

from .helpers import annotate, command, documents_in, failures_in, files_in, make_texts, write_lines


def of(module: str, name: str, base: type[Exception] = RuntimeError) -> type[Exception]:
    """A class of errors as a library has it that isn't installed here."""
    return type(name, (base,), {"__module__": module})


def following(error: Exception) -> Exception:
    """An error that a component raises because of another."""
    outer = ValueError("can't tag")
    outer.__cause__ = error
    return outer


CUPY_RUNTIME = of("cupy_backends.cuda.api.runtime", "CUDARuntimeError")
CUPY_COMPILER = of("cupy.cuda.compiler", "CompileException", Exception)

BY_TYPE = {
    "torch": torch.AcceleratorError("an illegal instruction was encountered"),
    "torch.cuda": of("torch.cuda", "CudaError")("misaligned address"),
    "NCCL": torch.distributed.DistBackendError("unhandled system error"),
    "CuPy, runtime": CUPY_RUNTIME("misaligned address"),
    "CuPy, driver": of("cupy_backends.cuda.api.driver", "CUDADriverError")("misaligned"),
    "CuPy, cuBLAS": of("cupy_backends.cuda.libs.cublas", "CUBLASError")("EXECUTION_FAILED"),
    "CuPy, a subclass": type("Ours", (CUPY_COMPILER,), {})("no such architecture"),
    "Triton": of("triton.runtime.errors", "OutOfResources", Exception)("shared memory"),
    "the cause of another": following(CUPY_RUNTIME("misaligned address")),
}
BY_WORDING = {
    "CUDA": "CUDA error: unspecified launch failure",
    "cuDNN": "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "cuBLAS": "CUBLAS_STATUS_INTERNAL_ERROR when calling `cublasSgemm`",
    "NCCL": "NCCL communicator was aborted on rank 1",
    "assert": "Assertion failed: device-side assert triggered",
    "access": "an illegal memory access was encountered",
    "kernel": "no kernel image is available for execution on the device",
}
FULL = {
    "torch": torch.OutOfMemoryError("Tried to allocate 20.00 MiB."),
    "CuPy": of("cupy.cuda.memory", "OutOfMemoryError", MemoryError)("Out of memory allocating 512"),
    "CuPy, runtime": CUPY_RUNTIME("cudaErrorMemoryAllocation: out of memory"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
}


class Raising:
    """Raises an error, where one is set, if the text says "boom"."""

    error: Exception | None = None

    def __call__(self, doc: Doc) -> Doc:
        if self.error is not None and "boom" in doc.text:
            raise self.error
        return doc


RAISING = Raising()
Language.component("raising", func=RAISING)


@pytest.fixture
def raising(ruler, monkeypatch) -> Raising:
    """Has runs take a pipeline with a component whose error can be set."""
    nlp = spacy.load(ruler)
    nlp.add_pipe("raising")
    monkeypatch.setattr("spacy_hgn.annotate.run.load_annotator", lambda _: nlp)
    return RAISING


@pytest.fixture
def on_gpu(monkeypatch) -> None:
    """A process that uses a GPU, which answers."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3 << 29, 80 << 30))


@pytest.fixture
def texts(tmp_path):
    """Twenty texts; the twelfth is the one at which the error comes."""
    texts = make_texts(20)
    texts[11] = "Maria hears a boom in Lisbon."
    return write_lines(tmp_path / "a.txt", texts)


def end_and_go_on(error: Exception, pipeline: Raising, ruler, texts, output) -> str:
    """A run that an error ends, and that goes on without it; what is told of the error.

    The shard before is done, that with the error isn't.
    """
    pipeline.error = error
    with pytest.raises(AnnotateError) as ended:
        annotate(ruler, [texts], output)
    assert [name for name in files_in(output) if name.startswith("done")] == ["done/0000000.json"]
    assert not (output / "failed").exists()
    pipeline.error = None
    summary = annotate(ruler, [texts], output, batch_size=1)
    assert (summary.documents, summary.failed, summary.before) == (20, 0, 1)
    assert documents_in(output) == [f"{texts}:{i}" for i in range(1, 21)]
    return str(ended.value)


@pytest.mark.parametrize("name", BY_TYPE)
def test_errors_known_by_their_type(name, raising, ruler, texts, tmp_path):
    told = end_and_go_on(BY_TYPE[name], raising, ruler, texts, tmp_path / "out")
    assert told.startswith("The GPU fails: ")


@pytest.mark.parametrize("name", BY_WORDING)
def test_errors_known_by_what_they_say(name, on_gpu, raising, ruler, texts, tmp_path):
    error = RuntimeError(BY_WORDING[name])
    told = end_and_go_on(error, raising, ruler, texts, tmp_path / "out")
    assert told == f"The GPU fails: RuntimeError: {BY_WORDING[name]}"


@pytest.mark.parametrize("name", FULL)
def test_full_memory_goes_on_with_smaller_batches(name, on_gpu, raising, ruler, texts, tmp_path):
    told = end_and_go_on(FULL[name], raising, ruler, texts, tmp_path / "out")
    assert told.startswith("The GPU's memory is full: 1.5 of 80.0 GiB are free. ")
    assert all(name in told for name in ("--batch-size", "batch_size", "max_batch_items"))


def test_any_error_after_which_the_gpu_does_not_answer(
    on_gpu, raising, ruler, texts, tmp_path, monkeypatch
):
    def fail():
        raise torch.AcceleratorError("unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    error = IndexError("list index out of range")
    told = end_and_go_on(error, raising, ruler, texts, tmp_path / "out")
    assert told == ("The GPU doesn't answer any more after IndexError: list index out of range")


@pytest.mark.parametrize(
    "error", [ValueError("boom"), MemoryError(), RuntimeError("can't allocate memory")]
)
def test_other_errors_on_a_gpu_are_a_document_s(error, on_gpu, raising, ruler, texts, tmp_path):
    raising.error = error
    summary = annotate(ruler, [texts], tmp_path / "out")
    assert (summary.documents, summary.failed) == (19, 1)
    assert [each["id"] for each in failures_in(tmp_path / "out")] == [f"{texts}:12"]


def test_a_text_that_speaks_of_cuda_is_no_error_of_a_gpu(raising, ruler, texts, tmp_path):
    raising.error = RuntimeError("boom in 'CUDA error: a memoir'")
    summary = annotate(ruler, [texts], tmp_path / "out")
    assert (summary.documents, summary.failed) == (19, 1)


def test_the_command_tells_it_in_a_line(raising, ruler, texts, tmp_path):
    raising.error = FULL["torch"]
    done = command(ruler, texts, tmp_path / "out")
    assert done.exit_code == 1
    assert "The GPU's memory is full. Use fewer texts per batch (--batch-size" in done.output
    assert "Start the same command again to resume" in done.output


def test_memory_that_is_full_before_the_first_text(ruler, texts, tmp_path, monkeypatch):
    def fail(_):
        raise FULL["torch"]

    monkeypatch.setattr("spacy_hgn.annotate.run.load_annotator", fail)
    done = command(ruler, texts, tmp_path / "out")
    assert done.exit_code == 1
    assert "The GPU's memory is full" in done.output


@pytest.fixture(autouse=True)
def _no_error_stays():
    yield
    RAISING.error = None
