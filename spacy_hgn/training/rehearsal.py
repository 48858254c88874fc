"""Rehearsal: keep the predictions of an updated tagger close to its earlier ones."""

from collections.abc import Callable

import torch
from spacy.tokens import Doc
from thinc.api import Model, Optimizer, set_dropout_rate, xp2torch
from thinc.types import Floats2d, FloatsXd
from torch import Tensor
from torch.nn.functional import pad

from ..backend.optimizer import HeroKey
from ..tagger.flat import SumGradient, shim_of

Tagger = Model[list[Doc], list[Floats2d]]

TINY = torch.finfo(torch.float32).tiny


def rehearse(student: Tagger, teacher: Tagger, docs: list[Doc], drop: float) -> float:
    """Accumulate the gradients that pull the student back to the teacher.

    docs: none is empty. drop: the student's dropout rate. Returns the loss, summed over tokens;
    for a committee, the mean over its members.
    """
    set_dropout_rate(student, drop)
    found, backprop = student.get_ref("flat").begin_update(docs)
    targets = teacher.get_ref("flat").predict(docs)
    shim = shim_of(student.get_ref("flat"))
    p, q = (xp2torch(each.dataXd, device=shim.device) for each in (found, targets))
    q = q.repeat(shim.members, 1)
    known = shim_of(teacher.get_ref("flat"))._model.trained_tags
    loss, gradient = distil(p, q, known)
    backprop(SumGradient(gradient, found.lengths, len(p)))
    return loss.item() / shim.members


def distil(student: Tensor, teacher: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """KL divergence of the student's tags from the teacher's, and its gradient for the logits.

    A teacher's O means "none of the labels I know". So it is compared with the sum of the student's
    O and new tags. How the student divides that sum is free: "Modeling the Background" (Cermelli et
    al., 2020), equation 8.

    student, and the gradient: *Shape:* (tokens, tags). teacher: *Shape:* (tokens, its tags).
    known: the tags that the teacher was trained on. *Shape:* (its tags,), boolean.
    """
    new = student.shape[1] - teacher.shape[1]
    own = pad(known, (0, new))
    own[0] = False
    p = pad(teacher, (0, new))
    together, target = (student * ~own).sum(dim=1), (p * ~own).sum(dim=1)
    shares = student / together.clamp(min=TINY).unsqueeze(1)
    gradient = torch.where(own, student - p, student - target.unsqueeze(1) * shares)
    loss = _divergence(p * own, student * own) + _divergence(target, together)
    return loss, gradient


def as_optimizer(sgd: Callable, model: Model) -> Callable:
    """Adapt the function that ``nlp.rehearse`` passes instead of an optimizer to torch modules.

    It only collects arrays and updates them when the component is done. By then, their gradients
    have been cleared, and the optimizer can't tell which of them belong to the Hero.
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


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p.clamp(min=TINY).log() - q.clamp(min=TINY).log())).sum()
