"""brat's standoff format: a text in ``x.txt`` and its annotation in ``x.ann``."""

import re
from collections.abc import Iterator
from pathlib import Path

from .errors import CorpusError
from .lines import Line, read_lines, read_text
from .reading import Format, Reading, Sample, Task
from .repairs import repair_or_raise
from .spans import CharSpan
from .texts import Text, make_text_docs

ANNOTATION, TEXT = ".ann", ".txt"

_ENTITY = re.compile(r"T\S+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_EVENT = re.compile(r"E\S+\t\S+:(T\S+)(?: .*)?")
_OTHERS = re.compile(r"([RAMN#*])\S*\t.+")
_KINDS = {
    **{"R": "relations", "A": "attributes", "M": "attributes", "N": "normalizations"},
    **{"#": "notes", "*": "equivalences"},
}
"""Annotation that has nothing to do with spans of entities."""


def read_brat(path: Path, task: Task) -> Iterator[Text]:
    """Read the text beside an ``.ann`` file, or the text with its ``.ann`` file beside it.

    A span in several parts can't be an entity and is an error. Event triggers aren't entities and
    are left out.
    """
    annotations = [line for line in read_lines(path.with_suffix(ANNOTATION)) if not line.is_blank]
    triggers = {match[1] for line in annotations if (match := _EVENT.fullmatch(line.text))}
    spans = []
    for line in annotations:
        kind = _kind_of(line.text)
        if kind is None:
            repair_or_raise(task.repairs, line, f"expected one of {_EXPECTED}", became="")
        elif kind != "entities":
            task.counts[f"{kind}, passed over"] += 1
        elif line.text.partition("\t")[0] in triggers:
            task.counts["event triggers, left out"] += 1
        else:
            spans.append(_read_span(line))
    text = read_text(path.with_suffix(TEXT))
    yield Text(text, spans, Line(path.with_suffix(ANNOTATION), 1, ""))


_EXPECTED = "entities (T1), events (E1), relations (R1), A1, M1, N1, #1 or *"


def _kind_of(text: str) -> str | None:
    if _ENTITY.fullmatch(text):
        return "entities"
    if _EVENT.fullmatch(text):
        return "events"
    match = _OTHERS.fullmatch(text)
    return _KINDS[match[1]] if match else None


def _read_span(line: Line) -> CharSpan:
    match = _ENTITY.fullmatch(line.text)
    assert match is not None
    label, places, quote = match.groups()
    numbers = [int(number) for number in re.findall(r"\d+", places)]
    problem = None
    if len(numbers) > 2:
        problem = f"span {places} ({label}) has several parts, expected one: it can't be an entity"
    return CharSpan(numbers[0], numbers[-1], label, line.text, quote, problem, line=line)


def _fits(sample: Sample) -> bool:
    path = sample.path
    return path.suffix == ANNOTATION or (
        path.suffix == TEXT and path.with_suffix(ANNOTATION).is_file()
    )


def _read(path: Path, task: Task) -> Reading:
    for suffix in (TEXT, ANNOTATION):
        if not path.with_suffix(suffix).is_file():
            raise CorpusError(path, f"expected {path.with_suffix(suffix).name} beside it")
    return Reading("", make_text_docs(read_brat(path, task), task))


BRAT = Format("brat", _read, _fits, frozenset({"offsets"}))
