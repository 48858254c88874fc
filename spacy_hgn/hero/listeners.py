"""Whether the vectors that a component listens for are really there."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary, ref

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from .hero_shim import HeroShim

logger = logging.getLogger("spacy_hgn")

_pipelines: WeakKeyDictionary[Any, ref[Language]] = WeakKeyDictionary()


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


def belong_to(component: Any, nlp: Language) -> None:
    """Remember a component's pipeline. Not in the component, which is pickled."""
    _pipelines[component] = ref(nlp)


def shares_upstream(component: Any, name: str) -> bool:
    """Whether others listen to what a component listens to, as far as its pipeline is known.

    name: the component's.
    """
    nlp = _pipelines.get(component, lambda: None)()
    return nlp is not None and any(others for _, _, others in _shared(name, nlp))


def warn_of_unequal_losses(name: str, nlp: Language) -> None:
    """Say so where a component's loss weighs less than those of others on one Transformer.

    Our own Transformer takes sums over tokens from all of them, and divides; others get our mean
    beside the others' sums.
    """
    for upstream, pipe, others in _shared(name, nlp):
        sums = [each for each in others if not is_mean(nlp.get_pipe(each))]
        if sums and not _divides(pipe):
            logger.warning(
                "On %s the loss of %s, the mean over a batch's tokens, weighs some hundred times "
                "less than that of %s, a sum. Set components.%s.loss_factor to about the tokens in "
                "a batch; or take spacy-hgn.TransformerModel.v1, on which they weigh alike.",
                upstream,
                name,
                ", ".join(sums),
                name,
            )


def is_mean(pipe: Any) -> bool:
    """Whether a component's loss is a mean over tokens, as ours is, or a sum, as spaCy's are."""
    return getattr(pipe, "loss_is_mean", False)


def _shared(name: str, nlp: Language) -> Iterator[tuple[str, Any, list[str]]]:
    """The components that one listens to, with the names of those that listen there too."""
    for upstream, pipe in nlp.components:
        listeners = getattr(pipe, "listener_map", {})
        if name in listeners:
            yield upstream, pipe, sorted(set(listeners) & set(nlp.pipe_names) - {name})


def _divides(pipe: Any) -> bool:
    """Whether a component's gradients are divided when a step ends: it is a Hero of ours."""
    return any(isinstance(shim, HeroShim) for node in pipe.model.walk() for shim in node.shims)


def require_vectors(model: Model, docs: Iterable[Doc], is_head: bool = False) -> None:
    """Raise ValueError for Docs without the vectors that a listener reads off them, or with
    those of other tokens.

    is_head: whether the component may have been stored without its transformer.
    """
    filled = [doc for doc in docs if len(doc)]
    for node in model.walk():
        if isinstance(node, TransformerListener):
            component = f"the component {node.upstream_name!r} ('*' is any transformer)"
            for doc in filled:
                _check_vectors(doc, component, is_head)


def _check_vectors(doc: Doc, component: str, is_head: bool) -> None:
    data = getattr(doc._, "trf_data", None)
    if data is None:
        head = (
            "Where there is no transformer, this is a head alone: spacy_hgn.attach(nlp, head) puts "
            "it into the pipeline of its Hero. Otherwise "
        )
        reason = "that component is disabled or runs after hgn_ner, or a "
        raise ValueError(
            f"hgn_ner reads the vectors of {component} off the Doc, but it has none: "
            f"{doc.text[:50]!r}. {head + reason if is_head else reason.capitalize()}"
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
