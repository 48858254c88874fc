"""Documents through the pipeline in batches; a batch that fails, one by one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from spacy.language import Language
from spacy.tokens import Doc

from ..backend.gpu_errors import explain
from .documents import Document, Failure, Read
from .errors import AnnotatingError

Annotated: TypeAlias = tuple[Document, Doc] | Failure

CHARACTERS = 1 << 20
"""In a batch, unless a document alone has more: bounds the memory where documents are long."""


def annotate(nlp: Language, reads: Iterable[Read], batch_size: int) -> Iterator[Annotated]:
    """Annotate documents in their order, as ``nlp.pipe`` would.

    A document on which the pipeline raises an error becomes a Failure, and no other does.

    Raises AnnotatingError where it is the GPU that fails, or whose memory is full.
    """
    for batch in _batches(reads, batch_size):
        yield from _annotate_batch(nlp, batch)


def _batches(reads: Iterable[Read], limit: int) -> Iterator[list[Read]]:
    batch: list[Read] = []
    characters = 0
    for read in reads:
        size = 0 if isinstance(read, Failure) else len(_text_of(read))
        if batch and (len(batch) == limit or characters + size > CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(read)
        characters += size
    if batch:
        yield batch


def _text_of(document: Document) -> str:
    return document.content.text if isinstance(document.content, Doc) else document.content


def _annotate_batch(nlp: Language, batch: Sequence[Read]) -> Iterator[Annotated]:
    made = [_make_doc(nlp, read) for read in batch]
    docs = [each[1] for each in made if not isinstance(each, Failure)]
    annotated = iter(_pipe(nlp, docs))
    for each in made:
        yield each if isinstance(each, Failure) else _result(nlp, each[0], next(annotated))


def _make_doc(nlp: Language, read: Read) -> Annotated:
    """A Doc of the document's own: the pipeline may leave it half annotated."""
    if isinstance(read, Failure):
        return read
    if isinstance(read.content, Doc):
        return read, read.content.copy()
    try:
        return read, nlp.make_doc(read.content)
    except Exception as error:  # a tokenizer's, whatever it is
        return _failure(read, error)


def _pipe(nlp: Language, docs: Sequence[Doc]) -> Sequence[Doc | None]:
    """Annotated Docs; None for all of them if the pipeline fails on one."""
    try:
        annotated = list(nlp.pipe(docs, batch_size=max(len(docs), 1)))
    except Exception as error:  # a component's, whatever it is
        _raise_if_broken(error)
        return [None] * len(docs)
    return annotated if len(annotated) == len(docs) else [None] * len(docs)


def _result(nlp: Language, document: Document, annotated: Doc | None) -> Annotated:
    if annotated is not None:
        return document, annotated
    made = _make_doc(nlp, document)
    if isinstance(made, Failure):
        return made
    try:
        return document, nlp(made[1])
    except Exception as error:  # a component's, whatever it is
        _raise_if_broken(error)
        return _failure(document, error)


def _raise_if_broken(error: Exception) -> None:
    """After an error of the GPU every document may fail; a full one has room for smaller batches.

    A lack of the machine's own memory is no such error.
    """
    if (told := explain(error)) is not None:
        raise AnnotatingError(told) from error


def _failure(document: Document, error: Exception) -> Failure:
    return Failure(document.id, document.source, f"{type(error).__name__}: {error}")
