"""``spacy hgn stats``: count a corpus's parts, and check whether they fit together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option
from wasabi import msg
from wasabi.util import locale_escape

from spacy_hgn.corpora.formats import LoadedCorpus
from spacy_hgn.corpora.hero_fit import HeroFit, measure_fit
from spacy_hgn.corpora.parts import find_parts, find_passed_over, read_part
from spacy_hgn.corpora.repairs import Repairs
from spacy_hgn.corpora.sentences import TokenSpan
from spacy_hgn.corpora.stats import (
    Counts,
    Overlap,
    count,
    describe_problems,
    find_gaps,
    find_overlaps,
)

from . import hgn_cli
from .corpus_options import CorpusOptions, show_counts_of_reading, with_corpus_options
from .pipelines import ending_at, write_json

Hero = Option("--hero", help="Hero on the hub or in a folder, to measure texts with")
Show = Option("--show", min=0, help="Differently annotated sentences to show per table row")
Output = Option("--output", "-o", help="JSON file to write", dir_okay=False)


@hgn_cli.command("stats")
@with_corpus_options
def stats_cli(
    paths: Annotated[list[Path], Argument(help="Corpus folder, or parts: files", exists=True)],
    options: CorpusOptions,
    hero: Annotated[str | None, Hero] = None,
    show: Annotated[int, Show] = 3,
    output: Annotated[Path | None, Output] = None,
) -> None:
    """Count what is in a corpus, and compare its parts.

    Reads a folder with a train, a dev and a test part, or any files, each as one part. Takes .spacy
    files and all formats of spacy hgn convert, with its options.

    Prints the numbers of sentences, tokens and entities; sentences that two parts share, and
    whether they are annotated alike; and types that a part lacks. With --hero, also texts with
    more word pieces than that Hero can read at once.
    """
    repairs = options.repairs()
    with ending_at("Can't count", ValueError, OSError, can_repair=True):
        corpora = read_parts(files := name_parts(paths), options, repairs)
        docs = {part: corpus.docs for part, corpus in corpora.items()}
        fit = measure_fit(docs, hero) if hero else None
    show_counts_of_reading(sum((corpus.counts for corpus in corpora.values()), Counter()), repairs)
    counts = {part: count(docs) for part, docs in docs.items()}
    overlaps = find_overlaps(docs, show)
    problems = describe_problems(counts)
    show_counts(counts, fit)
    show_overlaps(overlaps)
    for problem in problems:
        msg.warn(problem)
    if output is not None:
        report = {
            "parts": {
                part: {"path": str(files[part]), "format": corpora[part].found, **asdict(counted)}
                for part, counted in counts.items()
            },
            "hero": asdict(fit) if fit else None,
            "overlaps": list(map(asdict, overlaps)),
            "gaps": list(map(asdict, find_gaps(counts))),
            "problems": problems,
        }
        write_json(output, report)


def read_parts(
    files: Mapping[str, Path], options: CorpusOptions, repairs: Repairs
) -> dict[str, LoadedCorpus]:
    """Read the parts with the options. Raises CorpusError if a part can't be read."""
    nlp, settings = options.make_pipeline(), vars(options.settings())
    return {
        part: read_part(path, nlp, format=options.format, repairs=repairs, **settings)
        for part, path in files.items()
    }


def name_parts(paths: Sequence[Path]) -> dict[str, Path]:
    """The parts in a corpus's folder; if there are several paths, each path under its name."""
    if len(paths) == 1 and paths[0].is_dir():
        for path in find_passed_over(paths[0]):
            msg.info(f"Skipped {path}: the test part is another file")
        return find_parts(paths[0])
    names = [path.name for path in paths]
    return {path.name if names.count(path.name) == 1 else str(path): path for path in paths}


def show_counts(counts: Mapping[str, Counts], fit: HeroFit | None) -> None:
    """Print a table with one column per part."""
    parts = counts.values()
    labels = sorted({label for part in parts for label in part.types})
    rows = [
        number_row(" or ".join(sorted({c.unit for c in parts})), [c.sentences for c in parts]),
        number_row("tokens", [c.tokens for c in parts]),
        ("  mean", *(f"{c.mean_tokens:.2f}" for c in parts)),
        number_row("  without annotation", [c.unannotated for c in parts]),
        number_row("entities", [c.entities for c in parts]),
        *(number_row(f"  {label}", [c.types.get(label, 0) for c in parts]) for label in labels),
    ]
    if fit:
        lengths = fit.parts.values()
        rows += [
            number_row(f"texts over {fit.limit:,} word pieces", [n.over_long for n in lengths]),
            number_row("  single tokens as long", [n.tokens_cut for n in lengths]),
        ]
    print_table(("", *counts), rows)
    if fit:
        msg.info(f"{fit.hero} reads such texts in parts, and only the beginning of such tokens")


def show_overlaps(overlaps: Sequence[Overlap]) -> None:
    """Print how many sentences two parts share, and some that are annotated differently."""
    if not overlaps:
        return
    rows = [
        (" and ".join(overlap.parts), f"{overlap.sentences:,}", f"{overlap.conflicts:,}")
        for overlap in overlaps
    ]
    print_table(("same sentences in", "number", "annotated differently"), rows)
    for conflict in (conflict for overlap in overlaps for conflict in overlap.examples):
        print(locale_escape(" ".join(conflict.words)))
        for part, entities in conflict.entities.items():
            print(locale_escape(f"    {part}: {describe(conflict.words, entities)}"))


def describe(words: Sequence[str], entities: Sequence[TokenSpan]) -> str:
    """Entities in words, for readers."""
    named = [f"{' '.join(words[start:end])} ({label})" for start, end, label in entities]
    return ", ".join(named) or "no entity"


def number_row(name: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """A table row of whole numbers."""
    return (name, *(f"{number:,}" for number in numbers))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with text in the first column and numbers in the others."""
    aligns = ("l", *("r" for _ in header[1:]))
    msg.table(rows, header=header, aligns=aligns, divider=True)
