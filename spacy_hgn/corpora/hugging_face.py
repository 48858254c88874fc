"""Hugging Face's lists: the tokens of a sentence and their tags, as names or as integers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .docs import make_docs
from .errors import expected
from .lines import Line
from .reading import Format, Reading, Task
from .records import Record, read_records
from .repairs import repair_or_raise
from .schemes import SCHEMES, find_scheme
from .sentences import TaggedSentence, resolve
from .token_lists import problem_with_tokens

TOKENS, TAGS = "tokens", "ner_tags"
KEYS = frozenset({TOKENS, TAGS, "pos_tags", "chunk_tags", "langs", "sentence_id", "document_id"})


def read_hugging_face(path: Path, task: Task) -> Iterator[TaggedSentence]:
    """Read ``{"tokens": ["Tim", "left"], "ner_tags": ["B-PER", "O"]}`` records.

    Integers are tags by their number in ``settings.tag_names``.
    """
    for record in read_records(path, task.repairs):
        record.refuse_unknown(KEYS, task.settings.ignore)
        tags = _read_tags(record, task.settings.tag_names)
        if isinstance(tags, str):
            repair_or_raise(task.repairs, record.line, tags, became="")
            continue
        words = record.value[TOKENS]
        lines = [_line_of(record, f"{word} {tag}") for word, tag in zip(words, tags)]
        yield TaggedSentence(words, tags, lines)


def _read_tags(record: Record, names: tuple[str, ...]) -> list[str] | str:
    """The tags, or what is wrong with the record."""
    problem = problem_with_tokens(record, TOKENS)
    problem = problem or record.problem((TAGS, list, "that are a list"))
    if problem is not None:
        return problem
    n_words, tags = len(record.value[TOKENS]), record.value[TAGS]
    if len(tags) != n_words:
        return f'expected as many "{TAGS}" as "{TOKENS}", {n_words}, got {len(tags)}'
    named = [_name(tag, names) for tag in tags]
    for tag, name in zip(tags, named):
        if name is not None:
            continue
        if type(tag) is int and not names:
            raise record.line.error(
                f'"{TAGS}" are integers, and nothing says what they stand for. Give their names, '
                "the first that of 0: --tag-names O,B-PER,I-PER"
            )
        last = f" or integers from 0 to {len(names) - 1}" if names else ""
        return expected(f"that are strings{last}", TAGS, tag)
    return [name for name in named if name is not None]


def _name(tag: Any, names: tuple[str, ...]) -> str | None:
    if type(tag) is int:
        return names[tag] if 0 <= tag < len(names) else None
    return tag if isinstance(tag, str) and tag.strip() else None


def _line_of(record: Record, text: str) -> Line:
    """The record, with a token and its tag for its text."""
    return record.line._replace(text=text, record=record.line.record or record.line.number)


def _read(path: Path, task: Task) -> Reading:
    scheme = task.settings.scheme
    if scheme == "auto":
        looking = Task(task.nlp, task.settings, None if task.repairs is None else [])
        notation: Any = find_scheme(each.tags for each in read_hugging_face(path, looking))
    else:
        notation = SCHEMES[scheme]
    tagged = read_hugging_face(path, task)
    sentences = (resolve(sentence, notation, task.repairs) for sentence in tagged)
    docs = make_docs(sentences, task.nlp.vocab, task.settings.merge)
    return Reading(f'tags in "{TAGS}", {notation.name}', docs)


HUGGING_FACE = Format(
    "hugging-face",
    _read,
    lambda sample: sample.any(lambda record: TOKENS in record and TAGS in record),
    frozenset({"ignore", "merge", "scheme", "tag_names"}),
    unit="sentences",
)
