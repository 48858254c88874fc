"""Heads: components ``hgn_ner`` that are stored without their frozen Hero, many over one Hero."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spacy.language import Language
from spacy.util import copy_config, load_model, load_model_from_config

if TYPE_CHECKING:
    from .hero.frozen.frozen_hero import FrozenHero
    from .hero.frozen.trained_over import TrainedOver

FACTORY = "hgn_ner"


def attach(
    nlp: Language,
    head: str | Path | Language,
    name: str | None = None,
    *,
    before: str | int | None = None,
    after: str | int | None = None,
    config: dict[str, Any] | None = None,
) -> Language:
    """Add a head to a pipeline that has its Hero, and return the pipeline.

    The head becomes the last of the components that read the Hero's vectors, before any
    ``doc_cleaner``. It is a copy: a head may be attached to any number of pipelines.

    head: a folder or package as ``spacy hgn head`` makes them, or a pipeline, whose only
        ``hgn_ner`` is taken. name: of the component, that of the head if not given.
    before, after: where it comes instead, as in ``nlp.add_pipe``. config: settings that are not
        to be the head's, such as ``{"overlap": True, "threshold": 0.5}``.
    Raises ValueError, and changes nothing, where the pipeline has no frozen Hero, or another one
    than the head was trained over; where the name is taken; or where there isn't one head.
    """
    source = head if isinstance(head, Language) else load_model(head)
    source_name = only_head(source)
    upstream = _own_hero(nlp, source, source_name)
    place = _place(nlp, upstream, before, after)
    settings = _settings_of(source, source_name, upstream)
    settings.update(config or {})
    nlp.add_pipe(settings.pop("factory"), name or source_name, config=settings, **place)
    try:
        _give(nlp.get_pipe(name or source_name), source, source_name)
    except BaseException:
        nlp.remove_pipe(name or source_name)
        raise
    return nlp


def take_head(nlp: Language, name: str | None = None) -> Language:
    """A pipeline of an ``hgn_ner`` alone, to be stored and attached elsewhere.

    name: the component's, which isn't needed where there is but one. Raises ValueError for a
    component that doesn't read a frozen Hero's vectors.
    """
    name = only_head(nlp) if name is None else _require_head(nlp, name)
    _require_trained_over(nlp, name)
    config = nlp.config.interpolate()
    # The transformer may have any name elsewhere.
    config["components"] = {name: _settings_of(nlp, name, upstream="*")}
    config["initialize"]["components"] = {}
    config["nlp"].update(pipeline=[name], disabled=[])
    config["training"].update(frozen_components=[], annotating_components=[])
    head = load_model_from_config(config, meta=_meta_of(nlp, name))
    tokenizer, copied = cast(Any, nlp.tokenizer), cast(Any, head.tokenizer)
    copied.from_bytes(tokenizer.to_bytes(exclude=["vocab"]), exclude=["vocab"])
    _give(head.get_pipe(name), nlp, name)
    return head


def only_head(nlp: Language) -> str:
    """The name of the pipeline's ``hgn_ner``. Raises ValueError where there isn't just one."""
    heads = _heads(nlp)
    if len(heads) != 1:
        raise ValueError(
            f"Expected a pipeline with one {FACTORY}, got one with {', '.join(heads) or 'none'} "
            f"among {nlp.component_names}. Take one of several with "
            "python -m spacy hgn head PIPELINE FOLDER --component NAME."
        )
    return heads[0]


def _heads(nlp: Language) -> list[str]:
    return [name for name in nlp.component_names if nlp.get_pipe_meta(name).factory == FACTORY]


def _require_head(nlp: Language, name: str) -> str:
    if name not in _heads(nlp):
        raise ValueError(
            f"Expected the name of a component {FACTORY}, one of {_heads(nlp)}, got {name!r}."
        )
    return name


def _require_trained_over(nlp: Language, name: str) -> TrainedOver:
    """What a component was trained over; those of older releases don't say it themselves."""
    from .hero.frozen.trained_over import trained_over

    component: Any = nlp.get_pipe(name)
    over = component.trained_over or trained_over(component.model, nlp)
    if over is None:
        raise ValueError(
            f"{name} wasn't trained over a frozen Hero, so it is of no use without its own. A "
            "head is trained over a transformer whose model is spacy-hgn.FrozenTransformer.v1: "
            "python -m spacy hgn init config --frozen writes such a config."
        )
    return over


def _own_hero(nlp: Language, source: Language, name: str) -> str:
    """The name of the pipeline's transformer that is a head's Hero."""
    over = _require_trained_over(source, name)
    heroes = _frozen_heroes(nlp)
    if not heroes:
        raise ValueError(
            f"{name} needs the frozen Hero that it was trained over, but the pipeline has none: "
            f"{nlp.pipe_names}. Expected a transformer whose model is "
            "spacy-hgn.FrozenTransformer.v1, such as that of the pipeline that it was trained in."
        )
    for upstream, hero in reversed(heroes.items()):
        try:
            over.require(hero, name)
            return upstream
        except ValueError as error:
            refusal = error
    raise refusal


def _frozen_heroes(nlp: Language) -> dict[str, FrozenHero]:
    from .hero.frozen.frozen_hero import FrozenHero

    found = ((name, getattr(pipe, "model", None)) for name, pipe in nlp.pipeline)
    return {name: model for name, model in found if isinstance(model, FrozenHero)}


def _place(
    nlp: Language, hero: str, before: str | int | None, after: str | int | None
) -> dict[str, Any]:
    """Where a head comes, for ``nlp.add_pipe``. Raises ValueError where it can't read there."""
    names = nlp.component_names
    first = names.index(hero) + 1
    last = next((i for i in range(first, len(names)) if _ends_vectors(nlp, i)), len(names))
    if before is None and after is None:
        return {"before": last} if last < len(names) else {"last": True}
    place = nlp._get_pipe_index(before, after)
    if not first <= place <= last:
        raise ValueError(
            f"A head must come after its Hero, {hero!r}, and before another transformer or a "
            f"doc_cleaner: {names}. Leave out before and after to have it put there."
        )
    return {"before": place} if place < len(names) else {"last": True}


def _ends_vectors(nlp: Language, place: int) -> bool:
    """Whether a component takes vectors off the Doc, or lays others there."""
    from spacy.pipeline.functions import DocCleaner
    from spacy_transformers.pipeline_component import Transformer

    _, pipe = nlp.components[place]
    return isinstance(pipe, Transformer | DocCleaner)


def _settings_of(nlp: Language, name: str, upstream: str) -> dict[str, Any]:
    """A component's config, in which it listens to another transformer."""
    settings = copy_config(nlp.config.interpolate()["components"][name])
    _listen_to(upstream, settings)
    return settings


def _listen_to(upstream: str, section: dict[str, Any]) -> None:
    """Set in a component's config which transformer it listens to."""
    if "Listener" in str(section.get("@architectures")):
        section["upstream"] = upstream
    for part in section.values():
        if isinstance(part, dict):
            _listen_to(upstream, part)


def _give(component: Any, source: Language, name: str) -> None:
    """Make a new component a copy of another pipeline's."""
    data = cast(Any, source.get_pipe(name)).to_bytes(exclude=["vocab", "settings"])
    component.from_bytes(data, exclude=["vocab"])
    component.trained_over = _require_trained_over(source, name)


def _meta_of(nlp: Language, name: str) -> dict[str, Any]:
    """What a pipeline says of itself, without what it says of other components."""
    own = {key: value for key, value in nlp.meta.items() if key not in ("labels", "vectors")}
    losses = {f"{each}_loss" for each in nlp.component_names if each != name}
    scores = {k: v for k, v in nlp.meta.get("performance", {}).items() if k not in losses}
    return {**own, "pipeline": [name], "components": [name], "disabled": [], "performance": scores}
