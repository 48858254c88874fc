"""The Transformer or tok2vec that a component was trained with: it refuses another one's vectors.

A frozen Hero is known by all that its vectors depend on (``TrainedOver``), so that a head can be
attached to a copy of it. Any other upstream is known by the hash of a few weights, which every
training changes (``fingerprint_of``).
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
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

from .frozen.frozen_hero import FrozenHero

logger = logging.getLogger("spacy_hgn")

Listener = TransformerListener | Tok2VecListener

GONE = "of one that is no longer there"

# What each component learns from, or was found to be trained with; not in the component, which is
# pickled.
_upstreams: WeakKeyDictionary[Any, Callable[[], Model | None]] = WeakKeyDictionary()


@dataclass(frozen=True)
class TrainedOver:
    """The properties of a frozen Hero that a head depends on."""

    fingerprint: str
    """The fingerprint of its weights and word pieces."""
    layers: list[int]
    """The layers that it returned; 0 is the embeddings."""
    pooling: str
    """How a token's word pieces became its vector."""

    @classmethod
    def of(cls, hero: FrozenHero) -> "TrainedOver":
        """The properties of a Hero. The fingerprint is computed once."""
        return cls(hero.identify_weights(), hero.layer_numbers(), hero.own_settings["pooling"])

    def require(self, hero: Any, name: str) -> None:
        """Raise ValueError for a different Hero, or one that returns other vectors.

        hero: None if it is unknown. name: of the component that was trained over this Hero.
        """
        if not isinstance(hero, FrozenHero):
            raise ValueError(
                f"{name} was trained over a frozen Hero, but the vectors on the Doc come from "
                "another transformer, or from a stored Doc. Expected a transformer of "
                "spacy-hgn.FrozenTransformer.v1 that has read the Doc in this process."
            )
        found = asdict(TrainedOver.of(hero))
        differing = [
            f"{key}: expected {expected}, got {found[key]}"
            for key, expected in asdict(self).items()
            if expected != found[key]
        ]
        if differing:
            raise ValueError(
                f"{name} was trained over another frozen Hero than {hero.attrs['name']!r} as it "
                f"is in this pipeline ({'; '.join(differing)}). Use the transformer of the "
                f"pipeline that {name} was trained in, or train {name} over this one."
            )


def begin(component: Any, nlp: Language | None) -> None:
    """Note that a component is initialized, and what it listens to in the pipeline."""
    load(component, {})
    if nlp is not None:
        component.trained_over = trained_over(component, nlp)
        if (listener := _listener_of(component)) is not None:
            _remember(component, upstream_of(listener, nlp))


def load(component: Any, cfg: dict[str, Any]) -> None:
    """Take what was stored; older components have nothing there, and take any vectors."""
    over = cfg.get("hero")
    component.trained_over = None if over is None else TrainedOver(**over)
    component.trained_with = cfg.get("trained_with")


def forget(component: Any) -> None:
    """Forget what a component was found to be trained with."""
    _upstreams.pop(component, None)


def to_cfg(component: Any) -> dict[str, Any]:
    """What a component's cfg says of it."""
    if component.trained_over is not None:
        return {"hero": asdict(component.trained_over)}
    expected = None if _listener_of(component) is None else _expected(component)
    return {} if expected is None else {"trained_with": expected}


def trained_over(component: Any, nlp: Language) -> TrainedOver | None:
    """The frozen Hero that a component listens to in the pipeline; None for another upstream."""
    upstreams = [upstream_of(listener, nlp) for listener in _listeners(component)]
    heroes = [each for each in upstreams if isinstance(each, FrozenHero) and each.shim.is_loaded]
    return TrainedOver.of(heroes[-1]) if heroes else None


def learn_from(component: Any, docs: Sequence[Doc]) -> None:
    """Note whose vectors a component learns from.

    Warns if they are another upstream's than before. Raises ValueError if that was a frozen Hero.
    """
    if component.trained_over is not None:
        _require_hero(component, docs)
    elif (listener := _listener_of(component)) is not None:
        for upstream in _given(component, listener, listener._outputs or _datas(docs)):
            if _is_another(component, listener, upstream):
                logger.warning(
                    "%s now learns with another Transformer (or tok2vec) than before, or with one "
                    "that was trained further without it. Its results are worse until it has "
                    "adapted.",
                    component.name,
                )
            component.trained_with = None
            _remember(component, upstream)


def require_trained_with(component: Any, docs: Sequence[Doc]) -> None:
    """Raise ValueError for vectors of another upstream than a component was trained with."""
    if component.trained_over is not None:
        _require_hero(component, docs)
    elif (listener := _listener_of(component)) is not None:
        for upstream in _given(component, listener, _datas(docs)):
            if _is_another(component, listener, upstream):
                name = component.name
                raise ValueError(
                    f"{name} was trained with another Transformer (or tok2vec) than the one it "
                    f"reads now, or that one was trained further without {name} (fingerprint: "
                    f"expected {_expected(component)}, got {fingerprint_of(upstream)}). Load the "
                    f"components as they were saved together, or train {name} with this one. To "
                    f"train other components, freeze both {name} and what it reads, or neither, "
                    f"or give {name} a copy of its own: "
                    f'nlp.replace_listeners("transformer", "{name}", ["model.tok2vec"]).'
                )


def upstream_of(listener: Model, nlp: Language) -> Model | None:
    """The model of the component that feeds a listener; of several the last, which is read."""
    # Those that a training leaves as they are, are disabled in it.
    for _, pipe in reversed(nlp.components):
        if any(each is listener for each in getattr(pipe, "listeners", [])):
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


def _listeners(component: Any) -> list[Listener]:
    """All that reads other components' vectors."""
    return [node for node in component.model.walk() if isinstance(node, Listener)]


def _listener_of(component: Any) -> Listener | None:
    """What reads another component's vectors; None where there are several."""
    found = _listeners(component)
    return found[0] if len(found) == 1 else None


def _datas(docs: Iterable[Doc]) -> list[Any]:
    """What a Transformer has laid on Docs."""
    return [doc._.trf_data for doc in docs] if Doc.has_extension("trf_data") else []


def _require_hero(component: Any, docs: Sequence[Doc]) -> None:
    """Raise ValueError if a listener reads the vectors of another Hero than a head was trained
    over."""
    for listener in _listeners(component):
        if not isinstance(listener, TransformerListener):
            continue
        datas = listener._outputs or _datas(docs)
        makers = [_maker(data) for data in datas if data is not None and data.model_output]
        for hero in {id(maker): maker for maker in makers}.values():
            component.trained_over.require(hero, component.name)


def _maker(data: Any) -> Any:
    """The Hero that computed a Doc's vectors; None if they don't say."""
    return getattr(data, "hero", None)


def _given(component: Any, listener: Listener, datas: Iterable[Any]) -> list[Model]:
    """Whose vectors a listener reads: the Heroes that made them or, where these don't say, the
    upstream in the component's own pipeline."""
    if isinstance(listener, TransformerListener):
        heroes = [hero for hero in map(_maker, datas) if hero is not None]
        if heroes:
            return list({id(hero): hero for hero in heroes}.values())
    nlp = component.owner
    own = None if nlp is None else upstream_of(listener, nlp)
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
