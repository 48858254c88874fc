"""The component ``hgn_ner``: named entities from the Hero-Gang Neural model."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast

import numpy
import torch
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import (
    Config,
    Model,
    Optimizer,
    get_array_module,
    set_dropout_rate,
    to_numpy,
    torch2xp,
    xp2torch,
)
from thinc.types import Floats2d, Ragged
from torch import Tensor

from .backend.forking import let_forked_processes_compute
from .entities.alternatives import Alternative, find_alternatives
from .entities.calibration import temper
from .entities.on_doc import annotate, borders_alone, borders_before, register_score
from .entities.posteriors import Posteriors, entity_probabilities
from .explain.explanation import Explanation, explain
from .hero.frozen.trained_over import TrainedOver, from_cfg, require_hero, to_cfg, trained_over
from .hero.listeners import (
    belong_to,
    require_as_many,
    require_upstream,
    require_vectors,
    shares_upstream,
    warn_of_unequal_losses,
)
from .hero.token_vectors import Sent
from .tagger.classifier import is_initialized, resize_tags
from .tagger.flat import SumGradient, finish_update, shim_of
from .tagger.older_layout import in_present_layout
from .tags.decoding import DECODERS, Borders, Entity, borders_of, decode
from .tags.tag_set import TagSet, check_label
from .training.config_optimizer import let_optimizer_refer
from .training.gold import batch_tags
from .training.loss import Loss, batch_loss
from .training.rehearsal import as_optimizer, rehearse
from .training.step_loss import StepLoss
from .training.unlearnable import UnlearnableEntity, UnlearnableGold
from .util.lists import ends_of, split
from .util.sealed_pipe import SealedPipe

logger = logging.getLogger("spacy_hgn")

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
    belong_to(component, nlp)
    return component


class HgnNer(SealedPipe):
    """Finds named entities with the Hero-Gang Neural model.

    Entities that are on the Doc already, and blocked tokens, are kept as ``ner`` keeps them.
    No entity begins or ends in white space, or goes across the start of a sentence.

    ``ent._.score`` is the probability of an entity: that of all taggings that have it, with just
    its borders and label, among those that the tag scheme and the text allow. ``doc.spans`` has
    the entities under the component's name, and their scores in ``attrs["scores"]``.

    trained_over: the frozen Hero that its vectors must come from, if it was one in training.

    temperature: what the logits are divided by for scores, set by ``spacy hgn calibrate``. Which
    entities are found, ``threshold`` aside, doesn't depend on it.
    """

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
        """vocab: the shared vocabulary. model: from Docs to tag probabilities, one array a
        Doc of *shape* (tokens, tags). tag_scheme: "bio" or "biluo". decoder: "viterbi", or
        "argmax" as in the paper. threshold: drop entities that are less probable.
        scores: whether to write ``doc.spans``, and so ``ent._.score``. overlap: whether
        ``doc.spans`` has what it finds where entities of others are as well; ``doc.ents`` hasn't.
        incorrect_spans_key: where ``doc.spans`` of the training data holds spans that are known
        not to be entities. loss_factor: how much the loss weighs on a Transformer or tok2vec
        beside those of other components. scorer: the scoring method.

        Raises ValueError for an unknown tag_scheme or decoder, an impossible threshold, or a
        loss_factor that isn't above 0.
        """
        if decoder not in DECODERS:
            raise ValueError(
                f"Unknown decoder: expected one of {', '.join(DECODERS)}, got {decoder!r}."
            )
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold: expected a probability from 0 to 1, got {threshold}.")
        if not 0 < loss_factor < numpy.inf:
            raise ValueError(f"loss_factor: expected a number above 0, got {loss_factor}.")
        self.vocab = vocab
        self.model = model
        self.name = name
        self.decoder = decoder
        self.threshold = threshold
        self.scores = scores
        self.overlap = overlap
        self.temperature = 1.0
        self.incorrect_spans_key = incorrect_spans_key
        self.loss_factor = loss_factor
        self.scorer = scorer
        self.trained_over: TrainedOver | None = None
        self.tag_set = TagSet(tag_scheme, ())
        self._unlearnable = UnlearnableGold()
        self._step_loss = StepLoss()
        self._rehearsal_model: Model[list[Doc], list[Floats2d]] | None = None  # by spaCy's name
        let_forked_processes_compute()
        register_score()

    loss_is_mean = True
    """Unlike those of spaCy's components, which are sums."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types, in the order in which they were added."""
        return self.tag_set.labels

    @property
    def label_data(self) -> list[str]:
        """The labels as ``spacy init labels`` writes them and ``initialize`` reads them."""
        return list(self.labels)

    @property
    def is_resizable(self) -> bool:
        return True

    @property
    def unlearnable(self) -> tuple[UnlearnableEntity, ...]:
        """The gold entities met so far that can't be learnt, each with the reason."""
        return self._unlearnable.entities

    def add_label(self, label: str) -> int:
        """Add an entity type; a trained model keeps its weights and gets rows for it.

        Returns 1, or 0 if the label was there. Raises ValueError if tags can't carry it.
        """
        if check_label(label) in self.labels:
            return 0
        self.tag_set = TagSet(self.tag_set.scheme, (*self.labels, label))
        self.vocab.strings.add(label)
        if self._is_initialized:
            resize_tags(self.model, len(self.tag_set))
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        """Set the labels, from the data unless given, and the model's dimensions.

        get_examples: returns a representative sample of gold-standard Examples.
        labels: the entity types, as ``spacy init labels`` writes them. Without them all
        Examples are read, and what can't be learnt is named in a warning; else training does.
        Raises ValueError where the model listens to a Transformer that isn't there, or where
        the config's nO isn't the number of tags.
        """
        validate_get_examples(get_examples, "HgnNer.initialize")
        if labels is None:
            labels = self._read_gold(get_examples())
        for label in labels:
            self.add_label(label)
        self._check_outputs()
        if not self.labels:
            logger.warning("There is no entity in the data: %s will find none.", self.name)
        if nlp is not None:
            require_upstream(self.model, nlp)
            if self.loss_factor == 1.0:
                warn_of_unequal_losses(self.name, nlp)
        sample = [eg.predicted for eg in islice(get_examples(), 10)]
        if not any(len(doc) for doc in sample):
            sample = [Doc(self.vocab, words=["hello"])]
        tags = [self.model.ops.alloc2f(len(doc), len(self.tag_set)) for doc in sample]
        self.model.initialize(X=sample, Y=tags)
        self.temperature = 1.0
        self.trained_over = None
        if nlp is not None:
            self.trained_over = over = trained_over(self.model, nlp)
            # Now, and not at the first batch: a training that goes on where it was may have none.
            shim_of(self._flat)._model.fit_layers(1 if over is None else len(over.layers))

    def predict(self, docs: Iterable[Doc]) -> list[numpy.ndarray]:
        """Tag probabilities on the host, one array a Doc: all are views of that of the batch.

        *Shape of each:* (tokens, tags). Raises ValueError where the model listens to a component
        that hasn't run, or was trained over another frozen Hero.
        """
        docs = list(docs)
        filled = [doc for doc in docs if len(doc)]
        found = numpy.empty((0, len(self.tag_set)), dtype="float32")
        if filled:
            self._require_initialized()
            self._require_vectors(filled)
            found = self.model.ops.to_numpy(self._flat.predict(filled).dataXd)
        return split(found, ends_of(list(map(len, docs))))

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Any]) -> None:
        """Decode tag probabilities into ``doc.ents`` and, with scores, ``doc.spans``.

        scores: as from ``predict``, on the host or on a device.
        """
        docs = list(docs)
        if not docs:
            return
        probabilities = numpy.concatenate(list(map(to_numpy, scores)))
        borders = borders_alone(*docs) if self.overlap else borders_of(*docs)
        found = self._decode(probabilities, borders)
        annotate(docs, self._spans_key, self.labels, found, self.overlap)

    def alternatives(self, span: Span, k: int = 5) -> list[Alternative]:
        """What else might be where the span is: the k most probable entities that have any of its
        tokens, with other borders or labels, and label "" for no entity in all of it.

        Entities of other components, and blocked tokens, stay what they are. The Doc must have
        what the model reads. A Transformer's vectors are there after
        ``nlp(text, disable=["doc_cleaner"])``, and ``nlp.get_pipe("transformer")(doc)`` puts
        them on a Doc again. Raises ValueError where they are missing, TypeError for no Span.
        """
        _expect(span, Span, "such as doc[0:2] or doc.ents[0]")
        (probabilities,) = self.predict([span.doc])
        posteriors = Posteriors(
            temper(probabilities, self.temperature),
            self._borders_before(span.doc),
            self.tag_set,
        )
        return find_alternatives(posteriors, span.start, span.end, self.labels, k)

    def explain(self, doc: Doc) -> Explanation:
        """Why the Doc's entities are what they are: for each token the weights of windows and
        Hero and the tags' probabilities, for each entity its score with a border moved by one.

        The Doc must have what the model reads, as for ``alternatives``, and doesn't change. With
        ``scores = false`` entities found before are as other components': explain the Doc before.
        Raises ValueError where vectors are missing, TypeError for no Doc.
        """
        _expect(doc, Doc, "such as nlp(text)")
        borders = self._borders_before(doc)
        (probabilities,) = self.predict([doc])
        found = self._decode(probabilities, borders)
        return explain(
            doc,
            self.model,
            temper(probabilities, self.temperature),
            [entity for entity, _ in found],
            borders,
            self.tag_set,
            None if self.trained_over is None else self.trained_over.layers,
        )

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from gold-standard Examples: the loss is the mean over the tokens of a step, of
        all batches until ``finish_update``. Where none of them has a known tag, nothing moves.

        Raises ValueError before ``initialize``.
        """
        self._require_initialized()
        losses = self._open_losses(losses)
        examples = list(examples)
        validate_examples(examples, "HgnNer.update")
        docs = [eg.predicted for eg in examples]
        if not any(map(len, docs)):
            return losses
        if self.trained_over is not None:
            require_hero(self.model, docs, self.trained_over, self.name)
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
        if sgd:
            self.finish_update(sgd)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the weights by the gradients of the step, the mean over its tokens."""
        finish_update(self._flat, sgd)

    def get_loss(
        self, examples: Iterable[Example], scores: list[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """The negative log likelihood of the gold tags, the mean over tokens, and its gradient.

        Tokens whose tag is missing don't count; incorrect spans contribute ``-log(1 - P)`` of
        being an entity. *Shape of the gradient:* that of ``scores``, one array of (tokens, tags)
        a Doc.
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
        """Pull the predictions back to those at the time of ``nlp.resume_training``.

        Gold annotation isn't read. Where the model listens to a Transformer, its vectors must be
        on ``example.predicted``: student and teacher read the same, and the Transformer gets
        no gradient. A Hero inside of the component is remembered and rehearsed as well.
        Raises ValueError where the vectors aren't there.
        """
        losses = self._open_losses(losses)
        examples = list(examples)
        validate_examples(examples, "HgnNer.rehearse")
        docs = [eg.predicted for eg in examples if len(eg.predicted)]
        if self._rehearsal_model is None or not docs:
            return losses
        self._require_vectors(docs)
        total = rehearse(self.model, self._rehearsal_model, docs, drop)
        losses[self.name] += self._step_loss.add(total, sum(map(len, docs)))
        if sgd:
            self.finish_update(cast(Optimizer, as_optimizer(sgd, self.model)))
        return losses

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score a batch of examples with the ``scorer``."""
        if self.scorer is None:
            return {}
        examples = list(examples)
        validate_examples(examples, "HgnNer.score")
        return self.scorer(examples, **kwargs)

    def get_cfg(self) -> dict[str, Any]:
        """What to store besides the weights."""
        learnt = {"labels": list(self.labels), "temperature": self.temperature}
        return {**self._settings, **learnt, **to_cfg(self.trained_over)}

    def set_cfg(self, cfg: dict[str, Any]) -> None:
        """Take what was stored. Raises ValueError where the config says something else."""
        for setting, value in self._settings.items():
            if cfg[setting] != value:
                raise ValueError(
                    f"The component was trained with {setting} = {cfg[setting]!r}, but the "
                    f"config says {setting} = {value!r}."
                )
        self.temperature = cfg.get("temperature", 1.0)
        self.trained_over = from_cfg(cfg.get("hero"))
        self.tag_set = TagSet(cfg["tag_scheme"], tuple(cfg["labels"]))
        for label in self.labels:
            self.vocab.strings.add(label)

    def load_model(self, data: bytes) -> None:
        """Take weights. Raises ValueError where they don't fit the model or the labels."""
        self._check_outputs()
        super().load_model(in_present_layout(data))
        self._check_outputs()

    @property
    def _flat(self) -> Model[list[Doc], Ragged]:
        """The model as it reads a batch: into one array of all tokens."""
        return self.model.get_ref("flat")

    @property
    def _device(self) -> torch.device:
        """Where the weights are, whatever is current in the thread."""
        return shim_of(self._flat).device

    def _decode(self, probabilities: numpy.ndarray, borders: Borders) -> list[tuple[Entity, float]]:
        """The entities that the probabilities make, each with its score, but the unlikely ones."""
        found = decode(probabilities, borders, self.tag_set, self.decoder)
        tempered = temper(probabilities, self.temperature)
        scores = entity_probabilities(tempered, borders, self.tag_set, found)
        return [pair for pair in zip(found, scores) if pair[1] >= self.threshold]

    def _learn(self, examples: list[Example], probabilities: Tensor) -> Loss:
        """The loss, as from ``batch_loss``; notes what can't be learnt."""
        key = self.incorrect_spans_key
        tags, doubtful = batch_tags(examples, self.tag_set)
        self._unlearnable.add(doubtful if key is None else examples, self.labels, key, self.name)
        return batch_loss(probabilities, tags, examples, self.tag_set, key)

    def _open_losses(self, losses: dict[str, float] | None) -> dict[str, float]:
        """The dict that takes the loss of a batch, the first of its step or a further one."""
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
    def _is_initialized(self) -> bool:
        return is_initialized(self.model)

    def _require_initialized(self) -> None:
        if not self._is_initialized:
            raise ValueError(Errors.E109.format(name=self.name))

    def _require_vectors(self, docs: list[Doc]) -> None:
        require_vectors(self.model, docs, is_head=self.trained_over is not None)
        if self.trained_over is not None:
            require_hero(self.model, docs, self.trained_over, self.name)

    def _borders_before(self, doc: Doc) -> Borders:
        """Where entities may be, whatever this component has found there."""
        return borders_alone(doc) if self.overlap else borders_before(doc, self._spans_key)

    @property
    def _spans_key(self) -> str | None:
        return self.name if self.scores else None

    @property
    def _settings(self) -> dict[str, Any]:
        """What the config must say again when a trained component is loaded."""
        return {"tag_scheme": self.tag_set.scheme, "windows": self.model.attrs.get("windows")}

    def _read_gold(self, examples: Iterable[Example]) -> list[str]:
        """The labels of gold-standard Examples; warns of entities that can't be learnt."""
        labels: set[str] = set()

        def read() -> Iterator[Example]:
            for example in examples:
                labels.update(entity.label_ for entity in example.reference.ents)
                yield example

        self._unlearnable.add(read(), None, self.incorrect_spans_key, self.name)
        return sorted(labels)

    def _check_outputs(self) -> None:
        outputs = self._flat.maybe_get_dim("nO")
        if outputs not in (None, len(self.tag_set)):
            raise ValueError(
                f"The model of {self.name} has nO = {outputs}, but its labels "
                f"({', '.join(self.labels) or 'none'}) need {len(self.tag_set)} tags. In a "
                "config leave nO = null; in a trained folder cfg and model don't belong together."
            )


def _expect(given: Any, kind: type, example: str) -> None:
    if not isinstance(given, kind):
        raise TypeError(f"Expected a {kind.__name__}, {example}; got {type(given).__name__}.")
