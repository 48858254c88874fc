"""Rehearsal: an updated tagger goes on predicting what it predicted before."""

from collections.abc import Callable

import torch
from spacy.tokens import Doc
from thinc.api import Model, Optimizer, set_dropout_rate, xp2torch
from thinc.types import Floats2d, FloatsXd
from torch import Tensor
from torch.nn.functional import pad

from ..backend.optimizer import HeroKey
from ..tagger.classifier import trained_tags
from ..tagger.flat import SumGradient, shim_of

Tagger = Model[list[Doc], list[Floats2d]]

TINY = torch.finfo(torch.float32).tiny


def rehearse(student: Tagger, teacher: Tagger, docs: list[Doc], drop: float) -> float:
    """Accumulate the gradients that pull the student back to the teacher; returns the loss,
    summed over tokens, of a committee the mean over its members.

    docs: none is empty. drop: the student's dropout rate.
    """
    set_dropout_rate(student, drop)
    found, backprop = student.get_ref("flat").begin_update(docs)
    targets = teacher.get_ref("flat").predict(docs)
    shim = shim_of(student.get_ref("flat"))
    p, q = (xp2torch(each.dataXd, device=shim.device) for each in (found, targets))
    q = q.repeat(shim.members, 1)
    loss, gradient = distil(p, q, trained_tags(teacher))
    backprop(SumGradient(gradient, found.lengths, len(p)))
    return loss.item() / shim.members


def distil(student: Tensor, teacher: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """KL divergence of the student's tags from the teacher's, and its gradient over logits.

    A teacher's O means "none of the labels that I know". So its O is compared with the student's
    O and new tags taken together, and how the student shares these out is left to it: "Modeling
    the Background" (Cermelli et al., 2020), equation 8.

    student, and the gradient: *Shape:* (tokens, tags). teacher: *Shape:* (tokens, its tags).
    known: which of its tags the teacher was trained on. *Shape:* (its tags,), boolean.
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


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p.clamp(min=TINY).log() - q.clamp(min=TINY).log())).sum()
