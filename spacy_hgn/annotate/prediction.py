"""Run the pipeline in batches. If a batch fails, run its documents one by one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from spacy.cli._util import import_code
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_model

from ..backend.gpu_errors import explain_gpu_error
from ..entities.score import MARK, forget_score
from .documents import Document, Failure, Read
from .settings import AnnotateError, AnnotateSettings

Predicted: TypeAlias = tuple[Document, Doc] | Failure

CHARACTERS = 1 << 20
"""Maximum per batch of several documents, to bound the memory for long ones."""


def load_annotator(settings: AnnotateSettings) -> Language:
    """Load the pipeline and its code.

    Raises AnnotateError if it can't be loaded or has no component for entities.
    """
    import_code(settings.code)
    try:
        nlp = load_model(settings.pipeline)
    except Exception as error:  # of a component or a file, of any kind
        _raise_if_broken(error)
        raise AnnotateError(
            f"{settings.pipeline}: expected a pipeline that can be loaded, "
            f"got {type(error).__name__}: {error}"
        ) from error
    if not any(_names_entities(nlp, name) for name in nlp.pipe_names):
        found = ", ".join(nlp.pipe_names) or "none"
        raise AnnotateError(
            f"{settings.pipeline}: expected a component for entities, such as hgn_ner, "
            f"got the components: {found}"
        )
    return nlp


def predict(nlp: Language, reads: Iterable[Read], batch_size: int) -> Iterator[Predicted]:
    """Annotate documents in order, like ``nlp.pipe``.

    If the pipeline raises an error for a document, that document becomes a Failure, and no other.

    Raises AnnotateError if the GPU fails or its memory is full.
    """
    for batch in _batches(reads, batch_size):
        yield from _predict_batch(nlp, batch)


def forget_entities(doc: Doc) -> None:
    """Remove entities and their hgn_ner scores from a Doc.

    Everything else stays, including sentence starts and blocked tokens.
    """
    for entity in doc.ents:
        forget_score(entity)
        for token in entity:
            token.ent_kb_id = token.ent_id = 0
    blocked = [doc[t.i : t.i + 1] for t in doc if t.ent_iob_ == "B" and not t.ent_type]
    doc.set_ents([], blocked=blocked, default="missing")
    for key in [key for key, group in doc.spans.items() if MARK.items() <= group.attrs.items()]:
        del doc.spans[key]


def _names_entities(nlp: Language, name: str) -> bool:
    """Whether a component sets entities, or may: others than spaCy's needn't declare it."""
    meta = nlp.get_pipe_meta(name)
    library = nlp.get_pipe(name).__module__.partition(".")[0]
    may = not meta.assigns and library not in ("spacy", "spacy_transformers")
    return "doc.ents" in meta.assigns or meta.factory == "span_ruler" or may


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


def _predict_batch(nlp: Language, batch: Sequence[Read]) -> Iterator[Predicted]:
    """Annotate a batch; if the pipeline fails, each document alone."""
    documents = [read for read in batch if isinstance(read, Document)]
    try:
        docs = [_make_doc(nlp, document) for document in documents]
        predicted = list(nlp.pipe(docs, batch_size=max(len(docs), 1)))
        if len(predicted) != len(docs):
            raise ValueError(f"expected {len(docs)} Docs from the pipeline, got {len(predicted)}")
    except Exception as error:  # of the tokenizer or a component, of any kind
        _raise_if_broken(error)
        if len(batch) > 1:
            for read in batch:
                yield from _predict_batch(nlp, [read])
        else:
            found = f"{type(error).__name__}: {error}"
            yield Failure(documents[0].id, documents[0].source, found)
        return
    pairs = zip(documents, predicted)
    for read in batch:
        yield read if isinstance(read, Failure) else next(pairs)


def _make_doc(nlp: Language, document: Document) -> Doc:
    """A new Doc for the document, because the pipeline may fail and leave it half annotated."""
    if isinstance(document.content, Doc):
        return document.content.copy()
    return nlp.make_doc(document.content)


def _raise_if_broken(error: Exception) -> None:
    """Raise AnnotateError for an error of the GPU, after which every document may fail.

    Running out of the machine's own memory doesn't count.
    """
    if (told := explain_gpu_error(error)) is not None:
        raise AnnotateError(told) from error
