"""The readers, with all of a file read at once."""

from dataclasses import dataclass

from spacy.tokens import DocBin

from spacy_hgn.corpora import columns, conll2012, docs
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.corpora.reading import Task
from spacy_hgn.corpora.sentences import Sentence
from spacy_hgn.corpora.settings import ReaderSettings


@dataclass(frozen=True)
class Read:
    sentences: list[Sentence]
    found: str = ""

    def __iter__(self):
        return iter(self.sentences)

    def __len__(self):
        return len(self.sentences)


def read_columns(path, repairs=None, **settings):
    found, sentences = columns.read_columns(path, Task(None, ReaderSettings(**settings), repairs))
    return Read(list(sentences), found)


def read_conll2012(path, repairs=None):
    return Read(list(conll2012.read_conll2012(path, repairs)))


def make_docs(sentences, nlp, merge=1):
    return docs.make_docs(sentences, Task(nlp, ReaderSettings(merge=merge)))


def read_docs(format, path, nlp, **settings):
    """The Docs of a file of a format."""
    return read_corpus(path, nlp, format=format, **settings).docs


def pack_docs(made):
    """The Docs as a ``.spacy`` file."""
    return DocBin(attrs=docs.STORED, docs=made)


def entities_of(doc):
    return [(entity.text, entity.label_) for entity in doc.ents]
