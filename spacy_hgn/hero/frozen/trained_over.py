"""The frozen Hero that a component was trained over, and checks of its vectors."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from ..trained_with import upstream_of
from .frozen_hero import FrozenHero, LayerData


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
        """The properties of a Hero."""
        return cls(hero.identify_weights(), hero.layer_numbers(), hero.own_settings["pooling"])

    def require(self, hero: FrozenHero, name: str) -> None:
        """Raise ValueError for a different Hero, or one that returns other vectors.

        name: of the component that was trained over this Hero.
        """
        found = TrainedOver.of(hero)
        differing = [
            f"{key}: expected {expected}, got {got}"
            for (key, expected), got in zip(asdict(self).items(), asdict(found).values())
            if expected != got
        ]
        if differing:
            raise ValueError(
                f"{name} was trained over another frozen Hero than {hero.attrs['name']!r} as it "
                f"is in this pipeline ({'; '.join(differing)}). Use the transformer of the "
                f"pipeline that {name} was trained in, or train {name} over this one."
            )


def frozen_hero_of(model: Model, nlp: Language) -> FrozenHero | None:
    """The frozen Hero that a component's model listens to; None for another upstream."""
    listeners = [node for node in model.walk() if isinstance(node, TransformerListener)]
    hero = upstream_of(listeners, nlp)
    return hero if isinstance(hero, FrozenHero) else None


def trained_over(model: Model, nlp: Language) -> TrainedOver | None:
    """The frozen Hero that a component is trained over; None for another upstream."""
    hero = frozen_hero_of(model, nlp)
    return TrainedOver.of(hero) if hero is not None and hero.shim.is_loaded else None


def require_hero(model: Model, docs: Iterable[Doc], over: TrainedOver, name: str) -> None:
    """Raise ValueError if a listener reads the vectors of a different Hero.

    The fingerprint of a Hero is computed once.
    """
    docs = list(docs)
    for node in model.walk():
        if isinstance(node, TransformerListener):
            datas = node._outputs or [doc._.trf_data for doc in docs if len(doc)]
            filled = [data for data in datas if data is not None and data.model_output]
            for hero in {id(hero): hero for hero in map(_maker, filled)}.values():
                over.require(hero, name)


def _maker(data: TransformerData) -> FrozenHero:
    """The Hero that computed a Doc's vectors. Raises ValueError if it isn't a frozen one."""
    hero = data.hero if isinstance(data, LayerData) else None
    if hero is None:
        raise ValueError(
            "hgn_ner was trained over a frozen Hero, but the vectors on the Doc come from another "
            "transformer, or from a stored Doc. Expected a transformer of "
            "spacy-hgn.FrozenTransformer.v1 that has read the Doc in this process."
        )
    return hero


def from_cfg(stored: dict[str, Any] | None) -> TrainedOver | None:
    """Load the result of ``to_cfg``; None for components of older releases."""
    return None if stored is None else TrainedOver(**stored)


def to_cfg(over: TrainedOver | None) -> dict[str, Any]:
    """The entry in a component's cfg."""
    return {} if over is None else {"hero": asdict(over)}
