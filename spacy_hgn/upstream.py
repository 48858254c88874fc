"""Whether the vectors that a component listens for are really there."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy_transformers.layers import TransformerListener
from thinc.api import Model


def require_upstream(model: Model, nlp: Language) -> None:
    """Raise ValueError for a listener that no component of the pipeline feeds."""
    pipes = [pipe for _, pipe in nlp.components]  # frozen ones are disabled at this time
    fed = {id(listener) for pipe in pipes for listener in getattr(pipe, "listeners", [])}
    for node in model.walk():
        if isinstance(node, TransformerListener | Tok2VecListener) and id(node) not in fed:
            raise ValueError(
                f"hgn_ner listens to a component called {node.upstream_name!r} ('*' is any), "
                f"but none before it in the pipeline offers vectors to a {node.name}: "
                f"{nlp.component_names}. Add a 'transformer' before it, or give "
                "components.hgn_ner.model.tok2vec another architecture."
            )


def require_vectors(model: Model, docs: Iterable[Doc]) -> None:
    """Raise ValueError for Docs without the vectors that a listener reads off them, or with
    those of other tokens."""
    filled = [doc for doc in docs if len(doc)]
    for node in model.walk():
        if isinstance(node, TransformerListener):
            component = f"the component {node.upstream_name!r} ('*' is any transformer)"
            for doc in filled:
                _check_vectors(doc, component)


def _check_vectors(doc: Doc, component: str) -> None:
    data = getattr(doc._, "trf_data", None)
    if data is None:
        raise ValueError(
            f"hgn_ner reads the vectors of {component} off the Doc, but it has none: "
            f"{doc.text[:50]!r}. That component is disabled or runs after hgn_ner, or a "
            "doc_cleaner took them off: call the component on the Doc."
        )
    require_as_many(doc, len(data.align.lengths), component)


def require_as_many(doc: Doc, vectors: int, component: str = "the component before") -> None:
    """Raise ValueError for a Doc with another number of tokens than of vectors."""
    if vectors != len(doc):
        raise ValueError(
            f"The Doc has {len(doc):,} tokens, but {vectors:,} vectors of {component}: "
            f"{doc.text[:50]!r}. Its tokens were merged or split since: retokenize before that "
            "component, or after hgn_ner."
        )
