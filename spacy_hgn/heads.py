"""Heads: ``hgn_ner`` components stored without their frozen Hero, to share one Hero."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spacy.language import Language
from spacy.util import copy_config, load_model, load_model_from_config
from thinc.api import Config

if TYPE_CHECKING:
    from .hero.frozen.frozen_hero import FrozenHero
    from .hero.trained_with import TrainedOver

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
    """Add a head to a pipeline with the same Hero, and return the pipeline.

    The head is added after all components that read the Hero's vectors, but before any
    ``doc_cleaner``. It is a copy, so a head can be attached to any number of pipelines.

    head: a folder or package made by ``spacy hgn head``, or a pipeline with one ``hgn_ner``.
    name: of the new component; None is the head's name.
    before, after: another place, as in ``nlp.add_pipe``. config: changes of the head's settings,
        such as ``{"overlap": True, "model": {"precision": "float32"}}``.
    Raises ValueError, and changes nothing, if the pipeline has no frozen Hero or a different one
    from the head's, if the name is taken, or if there isn't exactly one head; OSError if there is
    no such folder or package.
    """
    source = head if isinstance(head, Language) else load_model(head)
    source_name = choose_head(source)
    upstream = _own_hero(nlp, source, source_name)
    place = _place(nlp, upstream, before, after)
    settings = Config(_settings_of(source, source_name, upstream)).merge(config or {})
    _listen_to(upstream, settings)
    nlp.add_pipe(settings.pop("factory"), name or source_name, config=settings, **place)
    try:
        _give(nlp.get_pipe(name or source_name), source, source_name)
    except BaseException:
        nlp.remove_pipe(name or source_name)
        raise
    return nlp


def take_head(nlp: Language, name: str | None = None) -> Language:
    """Make a pipeline with an ``hgn_ner`` alone, to store it and attach it elsewhere.

    name: of the component; None if there is only one. Raises ValueError for a component that
    doesn't read a frozen Hero's vectors.
    """
    name = choose_head(nlp, name)
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


def choose_head(nlp: Language, name: str | None = None) -> str:
    """The name of the pipeline's ``hgn_ner``, or of its only one.

    Raises ValueError if there is none of that name, or, without a name, not exactly one.
    """
    there = nlp.component_names
    heads = [each for each in there if nlp.get_pipe_meta(each).factory == FACTORY]
    if name is None and len(heads) != 1:
        raise ValueError(
            f"Expected a pipeline with one {FACTORY}, got {', '.join(heads) or 'none'} "
            f"among {there}. Choose one of several with "
            "python -m spacy hgn head PIPELINE FOLDER --component NAME."
        )
    if name is not None and name not in heads:
        raise ValueError(
            f"Expected the name of a component {FACTORY}, one of {heads}, got {name!r}."
        )
    return name or heads[0]


def _require_trained_over(nlp: Language, name: str) -> TrainedOver:
    """The Hero that a component was trained over. Older releases didn't store it."""
    from .hero.frozen.frozen_hero import FrozenHero
    from .hero.trained_with import trained_over

    component: Any = nlp.get_pipe(name)
    if any(isinstance(node, FrozenHero) for node in component.model.walk()):
        raise ValueError(
            f"{name} has a Hero of its own since nlp.replace_listeners, so there is no head "
            "without a Hero. Take the head of the pipeline as it was before."
        )
    over = component.trained_over or trained_over(component, nlp)
    if over is None:
        raise ValueError(
            f"{name} wasn't trained over a frozen Hero, so it doesn't work without its own. Train "
            "a head over a transformer with the model spacy-hgn.FrozenTransformer.v1: "
            "python -m spacy hgn init config --frozen writes such a config."
        )
    return over


def _own_hero(nlp: Language, source: Language, name: str) -> str:
    """The name of the transformer in a pipeline that is the head's Hero."""
    over = _require_trained_over(source, name)
    heroes = _frozen_heroes(nlp)
    if not heroes:
        disabled = f" (disabled: {', '.join(nlp.disabled)})" if nlp.disabled else ""
        raise ValueError(
            f"{name} needs the frozen Hero that it was trained over, but the pipeline has none: "
            f"{nlp.pipe_names}{disabled}. Expected an enabled transformer with the model "
            "spacy-hgn.FrozenTransformer.v1, such as the one it was trained with."
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
    """The place of a head, for ``nlp.add_pipe``. Raises ValueError for an impossible one."""
    names = nlp.component_names
    first = names.index(hero) + 1
    last = next((i for i in range(first, len(names)) if _ends_vectors(nlp, i)), len(names))
    if before is None and after is None:
        return {"before": last} if last < len(names) else {"last": True}
    place = nlp._get_pipe_index(before, after)
    if not first <= place <= last:
        raise ValueError(
            f"A head must come after its Hero, {hero!r}, and before another transformer or a "
            f"doc_cleaner: {names}. Leave out before and after to add it there."
        )
    return {"before": place} if place < len(names) else {"last": True}


def _ends_vectors(nlp: Language, place: int) -> bool:
    """Whether a component removes or replaces the vectors on the Doc."""
    from spacy.pipeline.functions import DocCleaner
    from spacy_transformers.pipeline_component import Transformer

    _, pipe = nlp.components[place]
    return isinstance(pipe, Transformer | DocCleaner)


def _settings_of(nlp: Language, name: str, upstream: str) -> dict[str, Any]:
    """A component's config, with a listener to another transformer."""
    settings = copy_config(nlp.config.interpolate()["components"][name])
    _listen_to(upstream, settings)
    return settings


def _listen_to(upstream: str, section: dict[str, Any]) -> None:
    """Set the transformer that a component's config listens to."""
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
    """A pipeline's meta data, without that of other components."""
    own = {key: value for key, value in nlp.meta.items() if key not in ("labels", "vectors")}
    losses = {f"{each}_loss" for each in nlp.component_names if each != name}
    scores = {k: v for k, v in nlp.meta.get("performance", {}).items() if k not in losses}
    return {**own, "pipeline": [name], "components": [name], "disabled": [], "performance": scores}
