"""What the subcommands that run a pipeline share: options, how it is loaded, what they write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import srsly
from spacy.cli._util import import_code, setup_gpu
from spacy.language import Language
from spacy.training import Corpus, Example
from spacy.util import load_model
from typer import Argument, Exit, Option
from wasabi import msg
from wasabi.util import locale_escape

from spacy_hgn.backend.gpu import GpuError, use_gpu
from spacy_hgn.backend.gpu_errors import telling_gpu_errors
from spacy_hgn.corpora.docbin import MISREAD, SUFFIX, list_docbins
from spacy_hgn.corpora.errors import CorpusError

if TYPE_CHECKING:
    from spacy_hgn.hgn_ner import HgnNer

FACTORY = "hgn_ner"

Pipeline = Argument(help="Installed package or folder")
Component = Option("--component", help="Name of the component in the pipeline")
Gpu = Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")
Code = Option("--code", "-c", help="Python file with the pipeline's registered functions")


@contextmanager
def ending_at(
    what: str, *expected: type[Exception], after: str = "", can_repair: bool = False
) -> Iterator[None]:
    """On an expected error, print its message without a traceback and exit with status 1.

    Errors of the GPU are always expected. after: a text to print below the message. can_repair:
    whether the command has the option ``--lenient``.
    """
    kinds: tuple[type[Exception], ...] = (*expected, GpuError)
    try:
        with telling_gpu_errors():
            yield
    except kinds as error:
        msg.fail(what)
        print(locale_escape(str(error)))  # unchanged: wasabi would wrap paths and a corpus's line
        if after:
            msg.text(after)
        if can_repair and isinstance(error, CorpusError) and error.can_be_repaired:
            msg.info("--lenient repairs such lines, and lists the repairs")
        raise Exit(1) from error


def choose_device(gpu_id: int) -> None:
    """Compute on a GPU, or on the CPU if the id is negative, and print which.

    Raises GpuError if something is missing for the GPU.
    """
    use_gpu(gpu_id)
    setup_gpu(gpu_id, silent=False)


def load_pipeline(name: str, code: Path | None, gpu_id: int | None = None) -> Language:
    """Load an installed package or a folder, after a file of code, onto a device.

    gpu_id: as in ``choose_device``; None leaves the device. Raises OSError if the pipeline doesn't
    exist, ValueError if it is damaged or has no ``hgn_ner``, and GpuError.
    """
    import_code(code)
    if gpu_id is not None:
        choose_device(gpu_id)
    try:
        nlp = load_model(name)
    except (*MISREAD, ImportError, EOFError) as error:
        told = error if isinstance(error, (ValueError, ImportError)) else repr(error)
        raise ValueError(f"{name}: can't be loaded. {told}") from error
    if not own_components(nlp):
        components = ", ".join(nlp.pipe_names) or "none"
        disabled = f" (disabled: {', '.join(nlp.disabled)})" if nlp.disabled else ""
        raise ValueError(
            f"{name}: expected a pipeline with {FACTORY}, "
            f"got one with the components: {components}{disabled}."
        )
    return nlp


def find_component(nlp: Language, name: str) -> "HgnNer":
    """The component of that name. Raises ValueError unless it is an enabled ``hgn_ner``."""
    if name not in (names := own_components(nlp)):
        choice = f"Choose one with --component: {', '.join(names)}." if names else "It has none."
        raise ValueError(
            f"There is no {FACTORY} called {name!r} in the pipeline {nlp.pipe_names}. {choice}"
        )
    return cast("HgnNer", nlp.get_pipe(name))


def read_gold(path: Path, nlp: Language) -> list[Example]:
    """Read a ``.spacy`` file, or all files below a folder, as spaCy does in training.

    Raises CorpusError for a damaged file or one in another format, and if there are no texts.
    """
    examples: list[Example] = []
    for file in list_docbins(path):
        if file.suffix != SUFFIX:
            raise CorpusError(file, f"expected a {SUFFIX} file (spacy hgn convert writes them)")
        try:
            examples += Corpus(file)(nlp)
        except MISREAD as error:
            told = f"expected a {SUFFIX} file, got an error ({error!r})"
            raise CorpusError(file, told) from error
    if not examples:
        raise CorpusError(path, f"expected texts in {SUFFIX} files, got none")
    return examples


def own_components(nlp: Language) -> list[str]:
    """The names of the components that are ``hgn_ner``."""
    return [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == FACTORY]


def write_text(path: Path, text: str) -> None:
    """Write a file, create its folder if needed, and print the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    msg.good(f"Written to {path}")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write values to a JSON file, create its folder if needed, and print the path."""
    write_text(path, srsly.json_dumps(content, indent=2))
