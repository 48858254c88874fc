"""The component ``hgn_ner``: named entities from the Hero-Gang Neural model."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate, to_numpy, xp2torch
from thinc.types import Floats2d

from .backend.forking import let_forked_processes_compute
from .entities.posteriors import entity_probabilities, temper
from .entities.score import annotate, constraints_alone, register_score
from .explain.reasons import Reasons
from .hero.listeners import forget_batch, require_as_many, require_vectors, shares_upstream
from .hero.token_vectors import Sent
from .hero.trained_with import learn_from
from .tagger.flat import SumGradient, shim_of
from .tags.decoding import DECODERS, Entity, SpanConstraints, constraints_of, decode
from .tags.tag_set import TagSet
from .training.config_optimizer import let_optimizer_refer
from .training.tag_learner import TagLearner
from .util.codecs import find_codecs_once
from .util.lists import ends_of, split
from .util.settings import Check, Settings, factor, key_or_none, one_of, probability, setting, truth

DEFAULT_CONFIG = Config().from_str(
    """
[hgn_ner]
tag_scheme = "bio"
decoder = "viterbi"
threshold = 0.0
scores = true
overlap = false
incorrect_spans_key = null
loss_factor = 1.0

[hgn_ner.scorer]
@scorers = "spacy.ner_scorer.v1"

[hgn_ner.model]
@architectures = "spacy-hgn.HeroGangTagger.v1"
windows = [5, 7, 9]
recurrence = "lstm"
fusion = "dot"
dropout = 0.1
precision = "auto"

[hgn_ner.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[hgn_ner.model.tok2vec.pooling]
@layers = "reduce_first.v1"
"""
)


@Language.factory(
    "hgn_ner",
    assigns=["doc.ents", "doc.spans", "span._.score", "token.ent_iob", "token.ent_type"],
    default_config=DEFAULT_CONFIG["hgn_ner"],
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_hgn_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    tag_scheme: str,
    decoder: str,
    threshold: float,
    scores: bool,
    overlap: bool,
    incorrect_spans_key: str | None,
    loss_factor: float,
    scorer: Callable | None,
) -> "HgnNer":
    """Create the component; the arguments are those of ``HgnNer``."""
    let_optimizer_refer(nlp)
    component = HgnNer(
        nlp.vocab,
        model,
        name,
        tag_scheme=tag_scheme,
        decoder=decoder,
        threshold=threshold,
        scores=scores,
        overlap=overlap,
        incorrect_spans_key=incorrect_spans_key,
        loss_factor=loss_factor,
        scorer=scorer,
    )
    component.owner = nlp
    return component


CHECKS: dict[str, Check] = {
    "decoder": partial(one_of, DECODERS),
    "threshold": probability,
    "scores": truth,
    "overlap": truth,
    "incorrect_spans_key": key_or_none,
    "loss_factor": factor,
}
"""Checks of the settings that can be changed on a component."""


class HgnNer(Reasons, TagLearner):
    """Finds named entities with the Hero-Gang Neural model.

    Entities that are already on the Doc and blocked tokens are kept, as by ``ner``. No entity
    begins or ends with white space, or crosses the start of a sentence.

    ``ent._.score`` is the probability of an entity with exactly its boundaries and label: the sum
    over all tag sequences that contain it and that the tag scheme and the Doc allow. ``doc.spans``
    holds the entities under the component's name, with their scores in ``attrs["scores"]``.

    You can change settings, as in ``component.threshold = 0.8``. They are stored.

    temperature: the logits are divided by it for scores. ``spacy hgn calibrate`` sets it. It
    doesn't affect the entities, except through ``threshold``.
    """

    decoder = setting("decoder")
    threshold = setting("threshold")
    scores = setting("scores")
    overlap = setting("overlap")
    incorrect_spans_key = setting("incorrect_spans_key")
    loss_factor = setting("loss_factor")

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[Floats2d]],
        name: str = "hgn_ner",
        *,
        tag_scheme: str = "bio",
        decoder: str = "viterbi",
        threshold: float = 0.0,
        scores: bool = True,
        overlap: bool = False,
        incorrect_spans_key: str | None = None,
        loss_factor: float = 1.0,
        scorer: Callable | None = None,
    ) -> None:
        """vocab: the shared vocabulary. model: from Docs to tag probabilities, one array per
        Doc of *shape* (tokens, tags). tag_scheme: "bio" or "biluo". decoder: "viterbi", or
        "argmax" as in the paper. threshold: drop entities with a lower probability.
        scores: whether to write ``doc.spans``, and so ``ent._.score``. overlap: whether
        ``doc.spans`` includes entities that overlap those of other components; ``doc.ents`` never
        does.
        incorrect_spans_key: the key in ``doc.spans`` of the training data for spans that are known
        not to be entities. loss_factor: the weight of the loss on a shared Transformer or tok2vec,
        relative to those of other components. scorer: the scoring method.

        Raises ValueError for an invalid setting.
        """
        super().__init__()
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.temperature = 1.0
        self.trained_over = self.trained_with = None
        self.tag_set = TagSet(tag_scheme, ())
        values = (decoder, threshold, scores, overlap, incorrect_spans_key, loss_factor)
        self._settings = Settings(self, CHECKS, dict(zip(CHECKS, values)))
        let_forked_processes_compute()
        find_codecs_once()
        register_score()

    def predict(self, docs: Iterable[Doc]) -> list[numpy.ndarray]:
        """Tag probabilities on the host, one array per Doc, all views of one array.

        *Shape of each:* (tokens, tags). Raises ValueError before ``initialize``, if the model
        listens to a component that hasn't run, or if it was trained with another Hero.
        """
        docs = list(docs)
        filled = [doc for doc in docs if len(doc)]
        found = numpy.empty((0, len(self.tag_set)), dtype="float32")
        if filled:
            self._require_initialized()
            require_vectors(self, filled)
            found = self.model.ops.to_numpy(self._flat.predict(filled).dataXd)
        return split(found, ends_of(list(map(len, docs))))

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Any]) -> None:
        """Decode tag probabilities into ``doc.ents`` and, with scores, ``doc.spans``.

        scores: tag probabilities of ``predict``, on any device. *Shape of each:* (tokens, tags)
        """
        docs = list(docs)
        if not docs:
            return
        probabilities = numpy.concatenate(list(map(to_numpy, scores)))
        overlap = self.cfg["overlap"]
        constraints = constraints_alone(*docs) if overlap else constraints_of(*docs)
        found = self._decode(probabilities, constraints)
        annotate(docs, self._spans_key, self.labels, found, overlap)

    def _decode(
        self, probabilities: numpy.ndarray, constraints: SpanConstraints
    ) -> list[tuple[Entity, float]]:
        """Decode entities with their scores, without those below the threshold."""
        found = decode(probabilities, constraints, self.tag_set, self.cfg["decoder"])
        tempered = temper(probabilities, self.temperature)
        scores = entity_probabilities(tempered, constraints, self.tag_set, found)
        return [pair for pair in zip(found, scores) if pair[1] >= self.cfg["threshold"]]

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from gold-standard Examples. The loss is the mean over the annotated tokens of a
        step, that is, of all batches until ``finish_update``. Without any, nothing is updated.

        Raises ValueError before ``initialize``.
        """
        self._require_initialized()
        losses = self._open_losses(losses)
        examples = list(examples)
        validate_examples(examples, "HgnNer.update")
        docs = [eg.predicted for eg in examples]
        if not any(map(len, docs)):
            return losses
        learn_from(self, docs)
        set_dropout_rate(self.model, drop)
        found, backprop = self._flat.begin_update(docs)
        members = shim_of(self._flat).members
        examples, docs = examples * members, docs * members
        for doc, vectors in zip(docs, found.lengths.tolist()):
            require_as_many(doc, vectors)
        loss = self._learn(examples, xp2torch(found.dataXd, device=self._device))
        losses[self.name] += self._step_loss.add(self._as_number(loss.total), loss.tokens)
        is_shared = shares_upstream(self, self.name)
        sent = Sent(sum(map(len, docs)) if is_shared else loss.tokens, self.loss_factor)
        backprop(SumGradient(loss.gradient, found.lengths, loss.tokens, sent))
        forget_batch(self.model)
        if sgd:
            self.finish_update(sgd)
        return losses
