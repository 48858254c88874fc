"""The training of a component that predicts tags: loss, rehearsal, unlearnable gold."""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, cast

import numpy
import torch
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model, Optimizer, get_array_module, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..hero import trained_with
from ..hero.listeners import require_upstream, require_vectors, warn_of_unequal_losses
from ..tagger.flat import finish_update, shim_of
from ..tags.tag_pipe import TagPipe
from ..util.lists import ends_of, split
from .gold import batch_tags
from .loss import Loss, batch_loss
from .rehearsal import as_optimizer, rehearse
from .step_loss import StepLoss
from .unlearnable import UnlearnableEntity, UnlearnableGold

logger = logging.getLogger("spacy_hgn")


class TagLearner(TagPipe):
    """A component that predicts tags, in training."""

    incorrect_spans_key: str | None
    loss_factor: float
    loss_is_mean = True
    """The loss is a mean over tokens. Those of spaCy's components are sums."""

    def __init__(self) -> None:
        self._unlearnable = UnlearnableGold()
        self._step_loss = StepLoss()
        self._rehearsal_model: Model[list[Doc], list[Floats2d]] | None = None  # spaCy's name for it

    @property
    def unlearnable(self) -> tuple[UnlearnableEntity, ...]:
        """All gold entities so far that can't be learnt, each with the reason."""
        return self._unlearnable.entities

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        """Set the labels and the model's dimensions.

        get_examples: returns a representative sample of gold-standard Examples.
        labels: the entity types, as ``spacy init labels`` writes them. None takes them from all
        Examples, and a warning lists entities that can't be learnt; otherwise, training does.
        Raises ValueError if the model listens to a missing Transformer, or if the config's nO isn't
        the number of tags.
        """
        validate_get_examples(get_examples, "HgnNer.initialize")
        if labels is None:
            labels = self._read_gold(get_examples())
        for label in labels:
            self.add_label(label)
        self._check_outputs()
        if not self.labels:
            logger.warning("There are no entities in the data: %s will find none.", self.name)
        if nlp is not None:
            require_upstream(self, nlp)
            if self.loss_factor == 1.0:
                warn_of_unequal_losses(self.name, nlp)
        sample = [eg.predicted for eg in islice(get_examples(), 10)]
        if not any(len(doc) for doc in sample):
            sample = [Doc(self.vocab, words=["hello"])]
        tags = [self.model.ops.alloc2f(len(doc), len(self.tag_set)) for doc in sample]
        self.model.initialize(X=sample, Y=tags)
        self.temperature = 1.0
        trained_with.begin(self, nlp)
        if nlp is not None:
            over = self.trained_over
            # Now and not at the first batch, because a resumed training may have none.
            shim_of(self._flat)._model.fit_layers(1 if over is None else len(over.layers))

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the weights with the gradients of the step, averaged over its tokens."""
        finish_update(self._flat, sgd)

    def get_loss(
        self, examples: Iterable[Example], scores: list[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """The negative log likelihood of the gold tags, averaged over tokens, and its gradient with
        respect to the logits.

        Tokens without annotation are ignored. Incorrect spans contribute ``-log(1 - P)``, with
        their probability P of being an entity.
        scores: tag probabilities, as from ``predict``. *Shape of each, and of the gradients:*
            (tokens, tags)
        """
        examples = list(examples)
        validate_examples(examples, "HgnNer.get_loss")
        if not examples:
            return 0.0, []
        joined = get_array_module(scores[0]).concatenate(scores)
        probabilities = xp2torch(joined, device=self._device)
        total, gradient, tokens = self._learn(examples, probabilities)
        ends = ends_of(list(map(len, scores)))
        d_scores = split(torch2xp(gradient / max(tokens, 1)), ends)  # type: ignore[arg-type]
        return self._as_number(total) / max(tokens, 1), cast(list[Floats2d], d_scores)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Callable | None = None,
        losses: dict[str, float] | None = None,
        **config: Any,
    ) -> dict[str, float]:
        """Pull the predictions back to those at ``nlp.resume_training``.

        Gold annotation isn't used. If the model listens to a Transformer, its vectors must be on
        ``example.predicted``: student and teacher read the same vectors, and the Transformer gets
        no gradient. A Hero inside the component is rehearsed too. Raises ValueError if the vectors
        are missing.
        """
        losses = self._open_losses(losses)
        examples = list(examples)
        validate_examples(examples, "HgnNer.rehearse")
        docs = [eg.predicted for eg in examples if len(eg.predicted)]
        if self._rehearsal_model is None or not docs:
            return losses
        require_vectors(self, docs)
        total = rehearse(self.model, self._rehearsal_model, docs, drop)
        losses[self.name] += self._step_loss.add(total, sum(map(len, docs)))
        if sgd:
            self.finish_update(cast(Optimizer, as_optimizer(sgd, self.model)))
        return losses

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score Examples with the ``scorer``."""
        if self.scorer is None:
            return {}
        examples = list(examples)
        validate_examples(examples, "HgnNer.score")
        return self.scorer(examples, **kwargs)

    def _read_gold(self, examples: Iterable[Example]) -> list[str]:
        """The labels of gold-standard Examples. Warns about entities that can't be learnt."""
        labels: set[str] = set()

        def read() -> Iterator[Example]:
            for example in examples:
                labels.update(entity.label_ for entity in example.reference.ents)
                yield example

        self._unlearnable.add(read(), None, self.incorrect_spans_key, self.name)
        return sorted(labels)

    def _learn(self, examples: list[Example], probabilities: Tensor) -> Loss:
        """The loss from ``batch_loss``. Records entities that can't be learnt."""
        key = self.incorrect_spans_key
        tags, doubtful = batch_tags(examples, self.tag_set)
        self._unlearnable.add(doubtful if key is None else examples, self.labels, key, self.name)
        return batch_loss(probabilities, tags, examples, self.tag_set, key)

    def _open_losses(self, losses: dict[str, float] | None) -> dict[str, float]:
        """The dict of losses, for the first batch of a step or a further one."""
        losses = {} if losses is None else losses
        step_size = shim_of(self._flat).step_size
        if self.name not in losses or step_size.tokens is None:
            self._step_loss.begin()
        losses.setdefault(self.name, 0.0)
        return losses

    def _as_number(self, loss: Tensor) -> float:
        number = loss.item()
        if numpy.isnan(number):
            raise ValueError(Errors.E910.format(name=self.name))
        return number

    @property
    def _device(self) -> torch.device:
        """The device of the weights, regardless of the thread's current device."""
        return shim_of(self._flat).device
