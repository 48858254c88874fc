"""GLiNER's training data: tokens, and entities by their first and last token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .docs import make_docs
from .errors import expected, shorten
from .reading import Format, Reading, Task
from .records import Record, read_records
from .repairs import repair_or_raise
from .schemes import is_label
from .sentences import Entity, Sentence
from .token_lists import problem_with_tokens

TOKENS, ENTITIES = "tokenized_text", "ner"
KEYS = frozenset({TOKENS, ENTITIES, "negatives", "ner_negatives"})


def read_gliner(path: Path, task: Task) -> Iterator[Sentence]:
    """Read ``{"tokenized_text": ["Tim", "Cook"], "ner": [[0, 1, "person"]]}`` records."""
    for record in read_records(path, task.repairs):
        record.refuse_unknown(KEYS, task.settings.ignore)
        problem = problem_with_tokens(record, TOKENS)
        problem = problem or record.problem((ENTITIES, list, "that is a list"))
        if problem is not None:
            repair_or_raise(task.repairs, record.line, problem, became="")
            continue
        yield _read_record(record, task)


def _read_record(record: Record, task: Task) -> Sentence:
    words, taken, missing = record.value[TOKENS], set[int](), set[int]()
    entities: list[Entity] = []
    for item in sorted(record.value[ENTITIES], key=_place):
        problem = _problem_with(item, words, taken)
        tokens = range(*_clip(item, len(words)))
        if problem is not None:
            was = shorten(repr(item))
            repair_or_raise(task.repairs, record.line, problem, became="missing", was=was)
            missing.update(tokens)
            continue
        entities.append((tokens.start, tokens.stop, item[2]))
        taken.update(tokens)
    return Sentence(words, entities, sorted(missing - taken))


def _problem_with(item: Any, words: list[str], taken: set[int]) -> str | None:
    if not _has_place(item) or not is_label(item[2]):
        return expected("as [first token, last token, label]", ENTITIES, item)
    first, last, label = item
    if not 0 <= first <= last < len(words):
        described = f"entity {first}-{last} ({label}) isn't in the text"
        return f"{described}, whose last token is {len(words) - 1}"
    if not taken.isdisjoint(range(first, last + 1)):
        return f"entity {first}-{last} {words[first : last + 1]} ({label}) overlaps one before it"
    return None


def _has_place(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 3 and type(item[0]) is type(item[1]) is int


def _place(item: Any) -> tuple[int, int]:
    """Its tokens, by which to sort: of two that overlap, the first to begin is kept."""
    return (item[0], item[1]) if _has_place(item) else (0, 0)


def _clip(item: Any, length: int) -> tuple[int, int]:
    """First token and the one behind the last; all where it doesn't say which."""
    if not _has_place(item):
        return 0, length
    return min(max(item[0], 0), length), max(0, min(item[1] + 1, length))


def _read(path: Path, task: Task) -> Reading:
    docs = make_docs(read_gliner(path, task), task.nlp.vocab, task.settings.merge)
    return Reading("last token of an entity included", docs)


GLINER = Format(
    "gliner",
    _read,
    lambda sample: sample.any(lambda record: TOKENS in record),
    frozenset({"ignore", "merge"}),
    unit="sentences",
)
