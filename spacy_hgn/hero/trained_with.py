"""The Transformer or tok2vec that a component was trained with: it refuses another one's vectors.

For heads of a frozen Hero see ``frozen/trained_over.py``.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy
import torch
from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy_transformers.layers import TransformerListener
from spacy_transformers.layers.transformer_model import TransformerModel
from thinc.api import Model, to_numpy

from ..util.owner import owner_of

logger = logging.getLogger("spacy_hgn")

Listener = TransformerListener | Tok2VecListener

GONE = "of one that is no longer there"

# What each component learns from, or was found to be trained with; not in the component, which is
# pickled.
_upstreams: WeakKeyDictionary[Any, Callable[[], Model | None]] = WeakKeyDictionary()


def begin(component: Any, nlp: Language | None) -> None:
    """Note that a component is initialized, and what it listens to in the pipeline."""
    component.trained_with = None
    _upstreams.pop(component, None)
    if nlp is not None and (listener := _listener_of(component)) is not None:
        _remember(component, upstream_of([listener], nlp))


def load(component: Any, fingerprint: str | None) -> None:
    """Take what was stored; older components have nothing there, and take any vectors."""
    component.trained_with = fingerprint
    _upstreams.pop(component, None)


def to_cfg(component: Any) -> dict[str, Any]:
    """What a component's cfg says of it."""
    if component.trained_over is not None or _listener_of(component) is None:
        return {}
    fingerprint = _expected(component)
    return {} if fingerprint is None else {"trained_with": fingerprint}


def learn_from(component: Any, docs: Sequence[Doc]) -> None:
    """Note whose vectors a component learns from. Warns if they are another one's than before."""
    if (listener := _listener_of(component)) is None:
        return
    for upstream in _given(component, listener, listener._outputs or _datas(docs)):
        if _is_another(component, listener, upstream):
            logger.warning(
                "%s now learns with another Transformer (or tok2vec) than before, or with one that "
                "was trained further without it. Its results are worse until it has adapted.",
                component.name,
            )
        component.trained_with = None
        _remember(component, upstream)


def require_trained_with(component: Any, docs: Sequence[Doc]) -> None:
    """Raise ValueError for vectors of another upstream than a component was trained with."""
    if (listener := _listener_of(component)) is None:
        return
    for upstream in _given(component, listener, _datas(docs)):
        if _is_another(component, listener, upstream):
            name = component.name
            raise ValueError(
                f"{name} was trained with another Transformer (or tok2vec) than the one it reads "
                f"now, or that one was trained further without {name} (fingerprint: expected "
                f"{_expected(component)}, got {fingerprint_of(upstream)}). Load the components as "
                f"they were saved together, or train {name} with this one. To train other "
                f"components, freeze both {name} and what it reads, or neither, or give {name} a "
                f'copy of its own: nlp.replace_listeners("transformer", "{name}", '
                '["model.tok2vec"]).'
            )


def upstream_of(listeners: Sequence[Model], nlp: Language) -> Model | None:
    """The model of the component that feeds one of the listeners; of several the last, which is
    the one that is read."""
    ids = set(map(id, listeners))
    # Those that a training leaves as they are, are disabled in it.
    for _, pipe in reversed(nlp.components):
        if any(id(each) in ids for each in getattr(pipe, "listeners", [])):
            return getattr(pipe, "model", None)
    return None


def fingerprint_of(upstream: Model) -> str:
    """A hash of the weights of one dimension, such as biases: any training changes them, and they
    are read in milliseconds. It is the same on any device."""
    digest = hashlib.blake2b(digest_size=16)
    for node in upstream.walk():
        for weights in _short_weights(node):
            digest.update(weights.tobytes())
    return digest.hexdigest()


def _short_weights(node: Model) -> Iterator[numpy.ndarray]:
    arrays = [to_numpy(node.get_param(name)) for name in node.param_names if node.has_param(name)]
    yield from (array for array in arrays if array.ndim == 1)
    modules = (getattr(shim, "_model", None) for shim in node.shims)
    for module in (each for each in modules if isinstance(each, torch.nn.Module)):
        short = [weights.detach() for weights in module.parameters() if weights.dim() == 1]
        if short:
            yield torch.cat(short).float().cpu().numpy()


def _listener_of(component: Any) -> Listener | None:
    """What reads another component's vectors; None where there are several."""
    found = [node for node in component.model.walk() if isinstance(node, Listener)]
    return found[0] if len(found) == 1 else None


def _datas(docs: Iterable[Doc]) -> list[Any]:
    """What a Transformer has laid on Docs."""
    return [doc._.trf_data for doc in docs] if Doc.has_extension("trf_data") else []


def _given(component: Any, listener: Listener, datas: Iterable[Any]) -> list[Model]:
    """Whose vectors a listener reads: the Heroes that made them or, where these don't say, the
    upstream in the component's own pipeline."""
    if isinstance(listener, TransformerListener):
        heroes = [getattr(data, "hero", None) for data in datas]
        if found := {id(hero): hero for hero in heroes if hero is not None}:
            return list(found.values())
    nlp = owner_of(component)
    own = None if nlp is None else upstream_of([listener], nlp)
    return [] if own is None else [own]


def _is_another(component: Any, listener: Listener, upstream: Model) -> bool:
    known = _upstreams.get(component)
    is_stored = component.trained_with is not None
    # A batch waits for the component where its upstream was updated without it.
    may_have_changed = is_stored and listener._batch_id is not None
    if known is not None and known() is upstream and not may_have_changed:
        return False
    expected = _expected(component)
    if expected is None:
        return False
    if fingerprint_of(upstream) != expected:
        return True
    if is_stored:
        _remember(component, upstream)
    return False


def _expected(component: Any) -> str | None:
    """The fingerprint of what a component was trained with, None where it isn't known."""
    if component.trained_with is not None:
        return component.trained_with
    if (known := _upstreams.get(component)) is None:
        return None
    upstream = known()
    return GONE if upstream is None else fingerprint_of(upstream)


def _remember(component: Any, upstream: Model | None) -> None:
    if isinstance(upstream, TransformerModel):
        _upstreams[component] = ref(upstream)
    elif upstream is not None:  # Thinc's own are small, and can't be referred to weakly
        _upstreams[component] = lambda: upstream
