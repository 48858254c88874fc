"""Records with lists of tokens, of GLiNER and Hugging Face."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .docs import make_docs
from .errors import expected, shorten
from .reading import Format, Reading, Task
from .records import BadRecord, Record, read_each
from .repairs import repair_or_raise
from .schemes import NOTATIONS, find_scheme, is_label
from .sentences import Sentence, TaggedSentence, TokenSpan, resolve

GLINER_TOKENS, GLINER_ENTITIES = "tokenized_text", "ner"
GLINER_KEYS = frozenset({GLINER_TOKENS, GLINER_ENTITIES, "negatives", "ner_negatives"})
TOKENS, TAGS = "tokens", "ner_tags"
KEYS = frozenset({TOKENS, TAGS, "pos_tags", "chunk_tags", "langs", "sentence_id", "document_id"})


def read_gliner(record: Record, task: Task) -> Sentence:
    """Read ``{"tokenized_text": ["Tim", "Cook"], "ner": [[0, 1, "person"]]}``.

    Of overlapping entities, the first one is kept.
    """
    words, taken, missing = _read_words(record, GLINER_TOKENS), set[int](), set[int]()
    entities: list[TokenSpan] = []
    for item in sorted(record.get(GLINER_ENTITIES, list), key=_place):
        problem = _problem_with(item, words, taken)
        first, last = _place(item) if _has_place(item) else (0, len(words) - 1)
        tokens = range(max(first, 0), min(last + 1, len(words)))
        if problem is not None:
            was = shorten(repr(item))
            repair_or_raise(task.repairs, record.line, problem, became="missing", was=was)
            missing.update(tokens)
            continue
        entities.append((tokens.start, tokens.stop, item[2]))
        taken.update(tokens)
    return Sentence(words, entities, sorted(missing - taken))


def read_hugging_face(record: Record, task: Task) -> TaggedSentence:
    """Read ``{"tokens": ["Tim", "left"], "ner_tags": ["B-PER", "O"]}``.

    Integer tags are indices into ``settings.tag_names``.
    """
    words, tags = _read_words(record, TOKENS), record.get(TAGS, list)
    if len(tags) != len(words):
        raise BadRecord(f'expected as many "{TAGS}" as "{TOKENS}", {len(words)}, got {len(tags)}')
    named = [_name(tag, record, task.settings.tag_names) for tag in tags]
    line = record.line._replace(record=record.line.record or record.line.number)
    lines = [line._replace(text=f"{word} {tag}") for word, tag in zip(words, named)]
    return TaggedSentence(words, named, lines)


def _read_words(record: Record, key: str) -> list[str]:
    words = record.get(key, list)
    if not words:
        raise BadRecord(expected("with tokens", key, words))
    for word in words:
        is_text = isinstance(word, str) and not any("\ud800" <= c <= "\udfff" for c in word)
        if not is_text or not word.strip(" \t\r\n"):
            raise BadRecord(expected("of words", key, word))
    return words


def _problem_with(item: Any, words: list[str], taken: set[int]) -> str | None:
    if not _has_place(item) or not is_label(item[2]):
        return expected("as [first token, last token, label]", GLINER_ENTITIES, item)
    first, last, label = item
    if not 0 <= first <= last < len(words):
        described = f"entity {first}-{last} ({label}) isn't in the text"
        return f"{described}, whose last token is {len(words) - 1}"
    if not taken.isdisjoint(range(first, last + 1)):
        return f"entity {first}-{last} {words[first : last + 1]} ({label}) overlaps an earlier one"
    return None


def _has_place(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 3 and type(item[0]) is type(item[1]) is int


def _place(item: Any) -> tuple[int, int]:
    return (item[0], item[1]) if _has_place(item) else (0, 0)


def _name(tag: Any, record: Record, names: tuple[str, ...]) -> str:
    """A tag's name. Raises BadRecord, and CorpusError for integers without names."""
    if type(tag) is int and not names:
        raise record.line.error(
            f'"{TAGS}" are integers without names. Set their names, '
            "beginning with that of 0: --tag-names O,B-PER,I-PER"
        )
    if type(tag) is int and 0 <= tag < len(names):
        return names[tag]
    if isinstance(tag, str) and tag.strip():
        return tag
    last = f" or integers from 0 to {len(names) - 1}" if names else ""
    raise BadRecord(expected(f"that are strings{last}", TAGS, tag))


def _read_gliner(path: Path, task: Task) -> Reading:
    sentences = read_each(path, task, read_gliner, GLINER_KEYS)
    return Reading("last token of an entity included", make_docs(sentences, task))


def _read_hugging_face(path: Path, task: Task) -> Reading:
    def read(task: Task) -> Iterator[TaggedSentence]:
        return read_each(path, task, read_hugging_face, KEYS)

    notation: Any = NOTATIONS.get(task.settings.scheme)
    if notation is None:
        looking = Task(task.nlp, task.settings, None if task.repairs is None else [])
        notation = find_scheme(sentence.tags for sentence in read(looking))
    sentences = (resolve(sentence, notation, task.repairs) for sentence in read(task))
    return Reading(f'tags in "{TAGS}", {notation.name}', make_docs(sentences, task))


GLINER = Format(
    "gliner",
    _read_gliner,
    lambda sample: sample.any(lambda record: GLINER_TOKENS in record),
    frozenset({"ignore", "merge"}),
)
HUGGING_FACE = Format(
    "hugging-face",
    _read_hugging_face,
    lambda sample: sample.any(lambda record: TOKENS in record and TAGS in record),
    frozenset({"ignore", "merge", "scheme", "tag_names"}),
)
