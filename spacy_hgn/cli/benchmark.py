"""``spacy hgn benchmark``: speed and F1 of a pipeline by precision and batch size."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from spacy.language import Language
from typer import Argument, Option
from wasabi import msg

from spacy_hgn.corpora.docbin import SUFFIX, list_docbins, read_docbin
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import LoadedCorpus, guess_format, read_corpus
from spacy_hgn.corpora.lines import read_lines

from . import hgn_cli
from .pipelines import (
    FACTORY,
    Code,
    Gpu,
    Pipeline,
    ending_at,
    load_pipeline,
    own_components,
    write_json,
)

if TYPE_CHECKING:
    from spacy_hgn.cli.measuring import Measurement


class Precision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


Texts = Argument(help=".spacy file or folder, corpus, or .txt with one text per line", exists=True)
Precisions = Option("--precision", "-p", help="Precision to measure; repeat for several")
BatchSizes = Option("--batch-size", "-b", min=1, help="Batch size to measure; repeat for several")
Rounds = Option("--rounds", "-r", min=1, help="Timed passes over the texts for each candidate")
Limit = Option("--limit", "-n", min=1, help="Use only the first N texts")
Threads = Option("--threads", "-t", min=1, help="Number of torch threads")
Output = Option("--output", "-o", dir_okay=False, help="JSON file for all results")


@hgn_cli.command("benchmark")
def benchmark_cli(
    pipeline: Annotated[str, Pipeline],
    texts: Annotated[Path, Texts],
    precision: Annotated[list[Precision], Precisions] = [*Precision],
    batch_size: Annotated[list[int], BatchSizes] = [32, 128, 512],
    rounds: Annotated[int, Rounds] = 3,
    limit: Annotated[int | None, Limit] = None,
    gpu_id: Annotated[int, Gpu] = -1,
    threads: Annotated[int | None, Threads] = None,
    code: Annotated[Path | None, Code] = None,
    output: Annotated[Path | None, Output] = None,
) -> None:
    """Measure a pipeline with hgn_ner in each precision and with each batch size.

    TEXTS is a .spacy file or a folder of them, a corpus in a format that convert reads, or a .txt
    file with one text per line. If it has entities, they are the gold standard for
    (micro-averaged) precision, recall and F1.

    Each combination of precision and batch size reads all texts once to warm up. Then all
    combinations are timed in turn. Words are tokens, and tokenization isn't timed. The table
    shows the median of the rounds and its 95% interval, by a bootstrap over rounds and batches. A
    text counts as changed if its entities differ from those of the first combination in float32.
    """
    with ending_at("Can't benchmark", ValueError, OSError):
        nlp = load_pipeline(pipeline, code, gpu_id)
        corpus = read_texts(texts, nlp, limit)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
        precisions = [each.value for each in precision]
        report = benchmark(nlp, corpus, precisions, batch_size, rounds, threads)
        if output is not None:
            write_json(output, {"pipeline": pipeline, "texts": str(texts), **report})


def read_texts(path: Path, nlp: Language, limit: int | None = None) -> LoadedCorpus:
    """Read all texts with tokens, and their entities.

    A ``.txt`` file has one text per line, unless it is recognizably JSONL or CoNLL.
    Raises CorpusError if the file can't be read or has no texts.
    """
    if docbins := [file for file in list_docbins(path) if file.suffix == SUFFIX]:
        docs = [doc for file in docbins for doc in read_docbin(file, nlp)]
        corpus = LoadedCorpus(docs, "DocBin")
    elif path.suffix == ".txt" and guess_format(path) == "columns":
        docs = [nlp.make_doc(line.text) for line in read_lines(path) if not line.is_blank]
        corpus = LoadedCorpus(docs, "a text a line")
    else:
        corpus = read_corpus(path, nlp)
    docs = [doc for doc in corpus.docs if len(doc)][:limit]
    if not docs:
        raise CorpusError(path, "expected texts, got none")
    return LoadedCorpus(docs, corpus.found)


def benchmark(
    nlp: Language,
    corpus: LoadedCorpus,
    precisions: Sequence[str],
    batch_sizes: Sequence[int],
    rounds: int,
    threads: int | None = None,
) -> dict[str, Any]:
    """Measure every precision with every batch size. Prints and returns the results.

    threads: the number of torch threads from now on; None leaves it.
    """
    import torch

    from spacy_hgn.cli.measuring import Candidate, time_candidates

    if threads is not None:
        torch.set_num_threads(threads)
    setting = _describe(nlp, corpus)
    _show_setting(setting)
    _warn(nlp, corpus, precisions, batch_sizes)
    wanted = product(dict.fromkeys(precisions), sorted(set(batch_sizes)))
    results = time_candidates(nlp, corpus.docs, [Candidate(*each) for each in wanted], rounds)
    rows = [_to_row(result, results) for result in results]
    _show_results(rows)
    return {**setting, "results": rows}


def _describe(nlp: Language, corpus: LoadedCorpus) -> dict[str, Any]:
    """Describe the pipeline, the texts and the machine."""
    from thinc.api import get_torch_default_device

    from spacy_hgn.backend.torch_shim import resolve_precision
    from spacy_hgn.cli.measuring import machine

    return {
        "components": {name: _configured_precision(nlp, name) for name in nlp.pipe_names},
        "read_as": corpus.found,
        "n_texts": len(corpus.docs),
        "n_words": sum(map(len, corpus.docs)),
        "n_entities": sum(len(doc.ents) for doc in corpus.docs),
        "machine": machine(),
        "auto": resolve_precision("auto", get_torch_default_device()),
    }


def _configured_precision(nlp: Language, name: str) -> str | None:
    """A component's precision in its config; None if it has no such setting."""
    from spacy_hgn.backend.torch_shim import shims_with_precision
    from spacy_hgn.cli.measuring import models_of

    models = models_of(nlp)
    shims = shims_with_precision(models[name]) if name in models else []
    return ", ".join(sorted({shim.precision for shim in shims})) or None


def _show_setting(setting: dict[str, Any]) -> None:
    components = [
        f"{name} (precision {precision})" if precision else name
        for name, precision in setting["components"].items()
    ]
    gold = f"{setting['n_entities']:,} entities as gold" if setting["n_entities"] else "no gold"
    machine = setting["machine"]
    msg.info(f"Components: {', '.join(components)}")
    msg.info(
        f"Texts: {setting['n_texts']:,} with {setting['n_words']:,} words, {gold}; "
        f"read as {setting['read_as']}"
    )
    msg.info(
        f"Machine: {machine['processor']}, {machine['cores']} cores; torch computes on "
        f"{machine['device']}, threads: {machine['threads']}"
    )
    msg.info(f'Precision "auto" is {setting["auto"]} here')


def _warn(
    nlp: Language, corpus: LoadedCorpus, precisions: Sequence[str], batch_sizes: Sequence[int]
) -> None:
    """Warn about anything that makes the results less meaningful."""
    from thinc.api import get_torch_default_device

    from spacy_hgn.backend.torch_shim import has_fast_bfloat16
    from spacy_hgn.cli.measuring import models_of

    if "bfloat16" in precisions and not has_fast_bfloat16(get_torch_default_device()):
        msg.warn("This device has no instructions for bfloat16, which will be slow")
    for name, model in models_of(nlp).items():
        has_module = any(node.shims for node in model.walk())
        if has_module and _configured_precision(nlp, name) is None:
            msg.warn(f"{name} has no setting for precision: it always computes in the same one")
    known = {label for name in own_components(nlp) for label in nlp.pipe_labels[name]}
    gold = {entity.label_ for doc in corpus.docs for entity in doc.ents}
    if unknown := sorted(gold - known):
        msg.warn(f"Types in the gold standard that {FACTORY} doesn't know: {', '.join(unknown)}")
    if max(batch_sizes) > len(corpus.docs):
        msg.warn(f"There are only {len(corpus.docs):,} texts: larger batches aren't full")


def _to_row(result: "Measurement", results: Sequence["Measurement"]) -> dict[str, Any]:
    """A result in plain values; only with float32 measured it has "n_changed"."""
    row = {
        "precision": result.candidate.precision,
        "batch_size": result.candidate.batch_size,
        "words_per_second": result.speed,
        "interval": result.interval(),
        "rounds": result.by_round.tolist(),
        **result.scores,
    }
    exact = [other for other in results if other.candidate.precision == "float32"]
    return {**row, "n_changed": result.changed_from(exact[0])} if exact else row


def _show_results(rows: Sequence[dict[str, Any]]) -> None:
    best = max(rows, key=lambda row: row["words_per_second"])
    header = ["precision", "batch size", "words/s", "95% interval"]
    header += ["P", "R", "F1"] if "ents_f" in best else []
    header += ["changed"] if "n_changed" in best else []
    print()
    msg.table(
        [[*_cells(row), "best" if row is best else ""] for row in rows],
        header=[*header, ""],
        divider=True,
        aligns=["l", *"r" * len(header[1:]), "l"],
    )
    speed = f"{best['words_per_second']:,.0f} words a second"
    msg.good(f"Best: {best['precision']} in batches of {best['batch_size']}, {speed}")


def _cells(row: dict[str, Any]) -> list[str]:
    """The cells of a row in the table, without its mark."""
    low_high = [f"{limit:,.0f}" for limit in row["interval"] or ()]
    cells = [row["precision"], f"{row['batch_size']:,}", f"{row['words_per_second']:,.0f}"]
    cells.append(" - ".join(low_high) or "-")
    cells += [f"{100 * row[key]:.2f}" for key in ("ents_p", "ents_r", "ents_f") if key in row]
    if "n_changed" in row:
        cells.append(f"{row['n_changed']:,}")
    return cells
