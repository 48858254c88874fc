"""Check the vectors that a component's listener reads."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from spacy_transformers.layers import TransformerListener
from spacy_transformers.pipeline_component import Transformer
from thinc.api import Model

from .hero_shim import HeroShim
from .trained_with import Listener, require_trained_with

logger = logging.getLogger("spacy_hgn")


def require_upstream(component: Any, nlp: Language) -> None:
    """Raise ValueError for a listener without a component that feeds it."""
    pipes = [pipe for _, pipe in nlp.components]  # frozen ones are disabled at this time
    fed = {id(listener) for pipe in pipes for listener in getattr(pipe, "listeners", [])}
    for node in component.model.walk():
        if isinstance(node, Listener) and id(node) not in fed:
            raise ValueError(
                f"{component.name} listens to a component called {node.upstream_name!r} ('*' is "
                f"any), but none before it in the pipeline offers vectors to a {node.name}: "
                f"{nlp.component_names}. Add a 'transformer' before it, or give "
                f"components.{component.name}.model.tok2vec another architecture."
            )


def shares_upstream(component: Any, name: str) -> bool:
    """Whether other components listen to the same upstream, as far as the pipeline is known.

    name: of the component.
    """
    nlp = component.owner
    return nlp is not None and any(others for _, _, others in _shared(name, nlp))


def warn_of_unequal_losses(name: str, nlp: Language) -> None:
    """Warn if a component's loss weighs less than those of others on one Transformer.

    Our Transformer takes sums over tokens from all components, and divides them. Other Transformers
    get our mean and the others' sums.
    """
    for upstream, pipe, others in _shared(name, nlp):
        sums = [each for each in others if not is_mean(nlp.get_pipe(each))]
        if sums and not _divides(pipe):
            logger.warning(
                "On %s, the loss of %s is the mean over a batch's tokens. It weighs some hundred "
                "times less than that of %s, a sum. Set components.%s.loss_factor to about the "
                "number of tokens in a batch, or use spacy-hgn.TransformerModel.v1, on which all "
                "losses have the same weight.",
                upstream,
                name,
                ", ".join(sums),
                name,
            )


def is_mean(pipe: Any) -> bool:
    """Whether a component's loss is a mean over tokens, like ours, or a sum, like spaCy's."""
    return getattr(pipe, "loss_is_mean", False)


def _shared(name: str, nlp: Language) -> Iterator[tuple[str, Any, list[str]]]:
    """The components that one listens to, with the names of those that listen there too."""
    for upstream, pipe in nlp.components:
        listeners = getattr(pipe, "listener_map", {})
        if name in listeners:
            yield upstream, pipe, sorted(set(listeners) & set(nlp.pipe_names) - {name})


def _divides(pipe: Any) -> bool:
    """Whether a component divides its gradients at the end of a step, as our Hero does."""
    return any(isinstance(shim, HeroShim) for node in pipe.model.walk() for shim in node.shims)


def require_vectors(component: Any, docs: Sequence[Doc]) -> None:
    """Raise ValueError for Docs without the vectors that a component's listener reads, or with
    those of other tokens or of another upstream component.

    component: a ``TagPipe``. The vectors must come from the upstream that it was trained with.
    docs: none is empty.
    """
    is_head = component.trained_over is not None
    for node in component.model.walk():
        if isinstance(node, Listener):
            _require_own_upstream(component, node)
            for doc in docs:
                _check_vectors(doc, node, component.name, is_head)
    require_trained_with(component, docs)


def require_any_vectors(tok2vec: Model, docs: Iterable[Doc], reader: str) -> None:
    """Raise ValueError for Docs without the vectors that listeners in a tok2vec read.

    reader: the layer's name for errors. A layer doesn't know its component.
    """
    listeners = [node for node in tok2vec.walk() if isinstance(node, Listener)]
    for doc in docs:
        for listener in listeners if len(doc) else []:
            _check_vectors(doc, listener, reader)


def forget_batch(model: Model) -> None:
    """Clear a Tok2VecListener's batch after learning. A TransformerListener does so by itself.
    Without its upstream, it would read the old vectors again."""
    for node in model.walk():
        if isinstance(node, Tok2VecListener):
            node._batch_id = node._outputs = node._backprop = None


def _require_own_upstream(component: Any, listener: Listener) -> None:
    """Raise ValueError if another component is the last to write vectors to the Doc.

    A Doc has one place for them. Without such a component in the pipeline, the vectors may already
    be on the Doc. A listener that no component knows was left behind when another pipeline took
    the Transformer by ``source``; it reads the Doc all the same.
    """
    nlp = component.owner
    if nlp is None or component.name not in nlp.pipe_names:
        return
    kind = Transformer if isinstance(listener, TransformerListener) else Tok2Vec
    before = nlp.pipeline[: nlp.pipe_names.index(component.name)]
    feeding = [name for name, pipe in before if isinstance(pipe, kind)]
    own = [
        name
        for name, pipe in nlp.components
        if isinstance(pipe, kind) and any(each is listener for each in pipe.listeners)
    ]
    if feeding and own and feeding[-1] not in own:
        raise ValueError(
            f"{component.name} listens to the component {listener.upstream_name!r}, but the last "
            f"one before it that writes vectors to the Doc is {feeding[-1]!r}. Enable the one "
            f"it listens to, and put it directly before: {nlp.pipe_names}."
        )


def _check_vectors(doc: Doc, listener: Listener, reader: str, is_head: bool = False) -> None:
    kind, vectors = _read_vectors(doc, listener)
    component = f"the component {listener.upstream_name!r} ('*' is any {kind})"
    if vectors is None:
        head = (
            "Where there is no transformer, this is a head alone: spacy_hgn.attach(nlp, head) puts "
            "it into the pipeline of its Hero. Otherwise "
        )
        reason = f"component is disabled or runs after {reader}, or a "
        raise ValueError(
            f"{reader} reads the vectors of {component} off the Doc, but it has none: "
            f"{doc.text[:50]!r}. {f'{head}that ' if is_head else 'That '}{reason}"
            "doc_cleaner took them off: call the component on the Doc."
        )
    require_as_many(doc, vectors, component)


def _read_vectors(doc: Doc, listener: Listener) -> tuple[str, int | None]:
    """What kind of component a listener listens to, and how many tokens have its vectors on the
    Doc; None where there are none."""
    if isinstance(listener, TransformerListener):
        data = getattr(doc._, "trf_data", None)
        return "transformer", None if data is None else len(data.align.lengths)
    has_none = doc.tensor is None or not doc.tensor.size
    return "tok2vec", None if has_none else len(doc.tensor)


def require_as_many(doc: Doc, vectors: int, component: str = "the component before") -> None:
    """Raise ValueError for a Doc with another number of tokens than of vectors."""
    if vectors != len(doc):
        raise ValueError(
            f"The Doc has {len(doc):,} tokens, but {vectors:,} vectors of {component}: "
            f"{doc.text[:50]!r}. Its tokens were merged or split since: retokenize before that "
            "component, or after those that read its vectors."
        )
