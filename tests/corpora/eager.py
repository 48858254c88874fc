"""The readers, with all of a file read at once."""

from dataclasses import dataclass

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
    file = columns.read_columns(path, ReaderSettings(**settings), repairs)
    return Read(list(file.sentences), file.found)


def read_conll2012(path, repairs=None):
    return Read(list(conll2012.read_conll2012(path, repairs)))


def make_docs(sentences, nlp, merge=1):
    return docs.make_docs(sentences, Task(nlp, ReaderSettings(merge=merge)))


def read_docs(format, path, nlp, **settings):
    """The Docs of a file of a format."""
    return read_corpus(path, nlp, format=format, **settings).docs


def entities_of(doc):
    return [(entity.text, entity.label_) for entity in doc.ents]
