"""From sentences to Docs."""

from collections.abc import Iterable, Iterator, Sequence

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from .reading import Task
from .sentences import Sentence

STORED = ("ENT_IOB", "ENT_TYPE", "SENT_START")
"""The attributes of a token in a ``.spacy`` file, in addition to its text and white space."""


def make_docs(sentences: Iterable[Sentence], task: Task) -> Iterator[Doc]:
    """Put sentences into Docs with sentence starts.

    Columns don't include white space, and the Docs record that it is unknown. spaCy then trains and
    scores on the corpus's own tokens, instead of the tokens of its tokenizer.

    A Doc has ``settings.merge`` consecutive sentences, or fewer at the end of a document: no Doc
    has sentences of two documents.
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


def _split(sentences: Iterable[Sentence], size: int) -> Iterator[list[Sentence]]:
    """Groups of up to ``size`` sentences of a document."""
    group: list[Sentence] = []
    for sentence in sentences:
        if group and (sentence.starts_document or len(group) == size):
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group
