"""Rehearsal: an updated tagger goes on predicting what it predicted before."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d, FloatsXd

from ..layers.tag_scores import trained_tags
from ..optimizer import HeroKey

Tagger = Model[list[Doc], list[Floats2d]]


def rehearse(student: Tagger, teacher: Tagger, docs: list[Doc], drop: float) -> float:
    """Accumulate the gradients that pull the student back to the teacher; returns the loss.

    docs: none is empty. drop: the student's dropout rate.
    """
    set_dropout_rate(student, drop)
    probabilities, backprop = student.begin_update(docs)
    targets = teacher.predict(docs)
    known = trained_tags(teacher.get_ref("output_layer"))
    parts = [distil(p, target, known, student.ops.xp) for p, target in zip(probabilities, targets)]
    backprop([gradient for _, gradient in parts])
    return sum(loss for loss, _ in parts)


def distil(student: Floats2d, teacher: Floats2d, known: Any, xp: Any) -> tuple[float, Floats2d]:
    """KL divergence of the student's tags from the teacher's, and its gradient over logits.

    A teacher's O means "none of the labels that I know". So its O is compared with the student's
    O and new tags taken together, and how the student shares these out is left to it: "Modeling
    the Background" (Cermelli et al., 2020), equation 8.

    student, and the gradient: *Shape:* (tokens, tags). teacher: *Shape:* (tokens, its tags).
    known: which of its tags the teacher was trained on. *Shape:* (its tags,), boolean.
    """
    tiny = xp.finfo("float32").tiny
    own = xp.zeros(student.shape[1], dtype=bool)
    own[: len(known)] = xp.asarray(known)
    own[0] = False
    p = xp.zeros_like(student)
    p[:, : teacher.shape[1]] = teacher
    together, target = student[:, ~own].sum(axis=1), p[:, ~own].sum(axis=1)
    shares = student[:, ~own] / xp.maximum(together, tiny)[:, None]
    gradient = student - p
    gradient[:, ~own] = student[:, ~own] - target[:, None] * shares
    loss = _divergence(p[:, own], student[:, own], xp) + _divergence(target, together, xp)
    return loss, gradient


def as_optimizer(sgd: Callable, model: Model) -> Callable:
    """Make what ``nlp.rehearse`` gives a component instead of an optimizer work for torch modules.

    It only collects arrays, to be updated when the component is done: by then their gradients
    have been cleared, and an optimizer no longer knows which of them are the Hero's.
    """
    if isinstance(sgd, Optimizer):
        return sgd
    shims = [shim for node in model.walk() for shim in node.shims]
    heroes = [shim for shim in shims if getattr(shim, "part", None) == "hero"]
    of_hero = {(shim.id, name) for shim in heroes for name, _ in shim._model.named_parameters()}

    def collect(key: tuple, weights: FloatsXd, gradient: FloatsXd) -> tuple[FloatsXd, FloatsXd]:
        sgd(HeroKey(key) if key in of_hero else key, weights, gradient.copy())
        gradient.fill(0)
        return weights, gradient

    return collect


def _divergence(p: Any, q: Any, xp: Any) -> float:
    tiny = xp.finfo("float32").tiny
    logs = xp.log(xp.maximum(p, tiny)) - xp.log(xp.maximum(q, tiny))
    return float((p * logs).sum())
