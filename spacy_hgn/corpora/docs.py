"""From sentences to Docs."""

from collections.abc import Iterable, Iterator, Sequence

from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from .reading import Task
from .sentences import Sentence

STORED = ("ENT_IOB", "ENT_TYPE", "SENT_START")
"""What a ``.spacy`` file keeps of a token besides its letters and spacing."""


def make_docs(sentences: Iterable[Sentence], task: Task) -> Iterator[Doc]:
    """Put sentences into Docs that keep where each of them starts.

    Columns don't tell the spacing, so the Docs say that it is unknown. Then spaCy trains and scores
    on the corpus's own tokens, and not on those that its tokenizer would make of the text.

    A Doc has ``settings.merge`` consecutive sentences; fewer at a document's end, for no Doc has
    sentences of two documents.
    """
    for group in _split(sentences, task.settings.merge):
        yield make_doc(group, task.nlp.vocab)


def make_doc(sentences: Sequence[Sentence], vocab: Vocab) -> Doc:
    """Put sentences into one Doc."""
    words = [word for sentence in sentences for word in sentence.words]
    starts = [i == 0 for sentence in sentences for i in range(len(sentence.words))]
    doc = Doc(vocab, words=words, sent_starts=starts)  # type: ignore[arg-type]
    entities, missing = [], []
    offset = 0
    for sentence in sentences:
        for start, end, label in sentence.entities:
            entities.append(Span(doc, offset + start, offset + end, label))
        missing += [doc[offset + i : offset + i + 1] for i in sentence.missing]
        offset += len(sentence.words)
    doc.set_ents(entities, missing=missing)
    return doc


def pack_docs(docs: Iterable[Doc]) -> DocBin:
    """Pack Docs for a ``.spacy`` file."""
    return DocBin(attrs=STORED, docs=docs)


def _split(sentences: Iterable[Sentence], size: int) -> Iterator[list[Sentence]]:
    """Up to so many sentences of a document at a time."""
    group: list[Sentence] = []
    for sentence in sentences:
        if group and (sentence.starts_document or len(group) == size):
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group
