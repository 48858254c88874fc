"""Over which frozen Hero a component was trained, and whether it reads that one's vectors."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from .frozen_hero import FrozenHero, LayerData


@dataclass(frozen=True)
class TrainedOver:
    """A frozen Hero, by what a head's weights depend on."""

    fingerprint: str
    """Of its weights and word pieces."""
    layers: list[int]
    """Those that it handed out: 0 are the embeddings."""
    pooling: str
    """How a token's vector was made of its word pieces."""

    @classmethod
    def of(cls, hero: FrozenHero) -> "TrainedOver":
        """What a component is trained over from now on."""
        return cls(hero.identify_weights(), hero.layer_numbers(), hero.own_settings["pooling"])

    def require(self, hero: FrozenHero, name: str) -> None:
        """Raise ValueError for another Hero, or one that hands out other vectors.

        name: that of the component which was trained over this one.
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
                f"is in this pipeline ({'; '.join(differing)}). Take the transformer of the "
                f"pipeline that {name} was trained in, or train it over this one."
            )


def frozen_hero_of(model: Model, nlp: Language) -> FrozenHero | None:
    """The frozen Hero of the pipeline that a component's model listens to, if it is one."""
    listeners = {id(node) for node in model.walk() if isinstance(node, TransformerListener)}
    # Those that a training leaves as they are, are disabled in it. The last one is read.
    for _, pipe in reversed(nlp.components):
        if any(id(each) in listeners for each in getattr(pipe, "listeners", [])):
            hero = getattr(pipe, "model", None)
            return hero if isinstance(hero, FrozenHero) else None
    return None


def trained_over(model: Model, nlp: Language) -> TrainedOver | None:
    """What a component of the pipeline is trained over, if that is a frozen Hero."""
    hero = frozen_hero_of(model, nlp)
    return TrainedOver.of(hero) if hero is not None and hero.shim.is_loaded else None


def require_hero(model: Model, docs: Iterable[Doc], over: TrainedOver, name: str) -> None:
    """Raise ValueError where the vectors that a listener reads are those of another Hero.

    Its weights are looked at once: from then on the Hero knows its fingerprint.
    """
    docs = list(docs)
    for node in model.walk():
        if isinstance(node, TransformerListener):
            datas = node._outputs or [doc._.trf_data for doc in docs if len(doc)]
            filled = [data for data in datas if data is not None and data.model_output]
            for hero in {id(hero): hero for hero in map(_maker, filled)}.values():
                over.require(hero, name)


def _maker(data: TransformerData) -> FrozenHero:
    """The Hero that has made a Doc's vectors. Raises ValueError if it isn't a frozen one."""
    hero = data.hero if isinstance(data, LayerData) else None
    if hero is None:
        raise ValueError(
            "hgn_ner was trained over a frozen Hero, but the vectors on the Doc are those of "
            "another transformer, or were stored with it. Expected a transformer of "
            "spacy-hgn.FrozenTransformer.v1 that has read the Doc in this process."
        )
    return hero


def from_cfg(stored: dict[str, Any] | None) -> TrainedOver | None:
    """Read what ``to_cfg`` wrote; older components have nothing there."""
    return None if stored is None else TrainedOver(**stored)


def to_cfg(over: TrainedOver | None) -> dict[str, Any]:
    """What a component's cfg says of it."""
    return {} if over is None else {"hero": asdict(over)}
