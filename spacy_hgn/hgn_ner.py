"""The component ``hgn_ner``: named entities from the Hero-Gang Neural model."""

import hashlib
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy
import srsly
from spacy import util
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model
from thinc.types import Floats2d

from .blocks import predict_in_blocks
from .decoding import DECODERS, borders_of, decode
from .forking import let_forked_processes_compute
from .layers.seal import seal, unseal
from .layers.tag_scores import is_initialized, resize_tags
from .tags import TagSet, check_label, gold_tags
from .upstream import require_upstream, require_vectors

logger = logging.getLogger("spacy_hgn")

DEFAULT_CONFIG = Config().from_str(
    """
[hgn_ner]
tag_scheme = "bio"
decoder = "viterbi"

[hgn_ner.scorer]
@scorers = "spacy.ner_scorer.v1"

[hgn_ner.model]
@architectures = "spacy-hgn.HeroGangTagger.v1"
windows = [5, 7, 9]
recurrence = "lstm"
fusion = "mlp"
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
DEFAULT_HGN_MODEL = DEFAULT_CONFIG["hgn_ner"]["model"]


@Language.factory(
    "hgn_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config=DEFAULT_CONFIG["hgn_ner"],
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_hgn_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    tag_scheme: str,
    decoder: str,
    scorer: Callable | None,
) -> "HgnNer":
    """Create the component; the arguments are those of ``HgnNer``."""
    return HgnNer(nlp.vocab, model, name, tag_scheme=tag_scheme, decoder=decoder, scorer=scorer)


class HgnNer(TrainablePipe):
    """Finds named entities with the Hero-Gang Neural model.

    Entities that are on the Doc already, and blocked tokens, are kept as ``ner`` keeps them.
    No entity begins or ends in white space, or goes across the start of a sentence.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[Floats2d]],
        name: str = "hgn_ner",
        *,
        tag_scheme: str = "bio",
        decoder: str = "viterbi",
        scorer: Callable | None = None,
    ) -> None:
        """vocab: the shared vocabulary. model: from Docs to tag probabilities, one array a
        Doc of *shape* (tokens, tags). tag_scheme: "bio" or "biluo". decoder: "viterbi", or
        "argmax" as in the paper. scorer: the scoring method.

        Raises ValueError for an unknown tag_scheme or decoder.
        """
        if decoder not in DECODERS:
            raise ValueError(
                f"Unknown decoder: expected one of {', '.join(DECODERS)}, got {decoder!r}."
            )
        self.vocab = vocab
        self.model = model
        self.name = name
        self.decoder = decoder
        self.scorer = scorer
        self.tag_set = TagSet(tag_scheme, ())
        let_forked_processes_compute()

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
        labels: the entity types, as ``spacy init labels`` writes them.
        Raises ValueError where the model listens to a Transformer that isn't there, or where
        the config's nO isn't the number of tags.
        """
        validate_get_examples(get_examples, "HgnNer.initialize")
        if labels is None:
            labels = sorted({ent.label_ for eg in get_examples() for ent in eg.reference.ents})
        for label in labels:
            self.add_label(label)
        self._check_outputs()
        if not self.labels:
            logger.warning("There is no entity in the data: %s will find none.", self.name)
        if nlp is not None:
            require_upstream(self.model, nlp)
        sample = [eg.predicted for eg in islice(get_examples(), 10)]
        if not any(len(doc) for doc in sample):
            sample = [Doc(self.vocab, words=["hello"])]
        tags = [self.model.ops.alloc2f(len(doc), len(self.tag_set)) for doc in sample]
        self.model.initialize(X=sample, Y=tags)

    def predict(self, docs: Iterable[Doc]) -> list[Floats2d]:
        """Tag probabilities, one array a Doc. *Shape:* (tokens, tags)

        Raises ValueError where the model listens to a component that hasn't run.
        """
        docs = list(docs)
        filled = [doc for doc in docs if len(doc)]
        if filled and not self._is_initialized:
            raise ValueError(Errors.E109.format(name=self.name))
        require_vectors(self.model, filled)
        found = iter(predict_in_blocks(self.model, filled))
        nothing = self.model.ops.alloc2f(0, len(self.tag_set))
        return [next(found) if len(doc) else nothing for doc in docs]

    def set_annotations(self, docs: Iterable[Doc], scores: list[Floats2d]) -> None:
        """Decode tag probabilities into ``doc.ents``."""
        for doc, probabilities in zip(docs, scores):
            if not len(doc):
                continue
            array = self.model.ops.to_numpy(probabilities)
            found = decode(array, borders_of(doc), self.tag_set, self.decoder)
            spans = [Span(doc, start, end, self.labels[label]) for start, end, label in found]
            _add_entities(doc, spans)

    def get_loss(
        self, examples: Iterable[Example], scores: list[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """The negative log likelihood of the gold tags, summed over tokens, and its gradient.

        Tokens whose tag is missing contribute nothing. *Shape of the gradient:* that of
        ``scores``, one array of (tokens, tags) a Doc.
        """
        examples = list(examples)
        validate_examples(examples, "HgnNer.get_loss")
        loss = 0.0
        gradients = []
        for example, probabilities in zip(examples, scores):
            tags = gold_tags(example, self.tag_set)
            known = numpy.flatnonzero(tags >= 0)
            xp = self.model.ops.xp
            rows, columns = xp.asarray(known), xp.asarray(tags[known])
            gradient = xp.zeros_like(probabilities)
            gradient[rows] = probabilities[rows]
            gradient[rows, columns] -= 1
            gradients.append(gradient)
            likelihood = xp.maximum(probabilities[rows, columns], numpy.finfo("float32").tiny)
            loss -= float(xp.log(likelihood).sum())
        if numpy.isnan(loss):
            raise ValueError(Errors.E910.format(name=self.name))
        return loss, gradients

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score a batch of examples with the ``scorer``."""
        if self.scorer is None:
            return {}
        examples = list(examples)
        validate_examples(examples, "HgnNer.score")
        return self.scorer(examples, **kwargs)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component, under a checksum."""
        serialize = {
            "cfg": self._cfg_to_bytes,
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
            "model": self.model.to_bytes,
        }
        return seal(util.to_bytes(serialize, exclude))

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "HgnNer":
        """Load the component. Raises ValueError for data cut short or changed."""
        deserialize: dict[str, Callable[..., Any]] = {
            "cfg": self._cfg_from_bytes,
            "vocab": lambda b: self.vocab.from_bytes(b, exclude=exclude),
            "model": self._load_model,
        }
        util.from_bytes(unseal(bytes_data, self.name), deserialize, exclude)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the component's folder; model and labels under a checksum."""
        serialize = {
            "cfg": lambda p: p.write_bytes(self._cfg_to_bytes()),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
            "model": lambda p: p.write_bytes(seal(self.model.to_bytes())),
        }
        util.to_disk(path, serialize, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "HgnNer":
        """Load the component's folder. Raises ValueError for files cut short or changed."""
        deserialize: dict[str, Callable[..., Any]] = {
            "cfg": lambda p: self._cfg_from_bytes(p.read_bytes(), str(p)),
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude),
            "model": lambda p: self._load_model(unseal(p.read_bytes(), str(p))),
        }
        util.from_disk(path, deserialize, exclude)
        return self

    @property
    def _is_initialized(self) -> bool:
        return is_initialized(self.model.get_ref("output_layer"))

    @property
    def _settings(self) -> dict[str, Any]:
        """What the config must say again when a trained component is loaded."""
        return {"tag_scheme": self.tag_set.scheme, "windows": self.model.attrs.get("windows")}

    def _check_outputs(self) -> None:
        outputs = self.model.get_ref("output_layer").maybe_get_dim("nO")
        if outputs not in (None, len(self.tag_set)):
            raise ValueError(
                f"The model of {self.name} has nO = {outputs}, but its labels "
                f"({', '.join(self.labels) or 'none'}) need {len(self.tag_set)} tags. In a "
                "config leave nO = null; in a trained folder cfg and model don't belong together."
            )

    def _cfg_to_bytes(self) -> bytes:
        cfg = {**self._settings, "labels": list(self.labels)}
        return srsly.json_dumps({**cfg, "sha256": _digest(cfg)}, indent=2).encode("utf8")

    def _cfg_from_bytes(self, data: bytes, where: str = "hgn_ner/cfg") -> None:
        try:
            cfg = srsly.json_loads(data.decode("utf8"))
            stored = cfg.pop("sha256")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"Can't read the labels in {where}: {error!r}") from error
        if stored != _digest(cfg):
            raise ValueError(
                f"The labels in {where} are damaged: their checksum doesn't match. "
                "Copy the pipeline again."
            )
        for setting, value in self._settings.items():
            if cfg[setting] != value:
                raise ValueError(
                    f"The component was trained with {setting} = {cfg[setting]!r}, but the "
                    f"config says {setting} = {value!r}."
                )
        self.tag_set = TagSet(cfg["tag_scheme"], tuple(cfg["labels"]))
        for label in self.labels:
            self.vocab.strings.add(label)

    def _load_model(self, data: bytes) -> None:
        self._check_outputs()
        try:
            self.model.from_bytes(data)
        except AttributeError:
            raise ValueError(Errors.E149) from None
        self._check_outputs()


def _digest(cfg: dict[str, Any]) -> str:
    return hashlib.sha256(srsly.json_dumps(cfg, sort_keys=True).encode("utf8")).hexdigest()


def _add_entities(doc: Doc, spans: list[Span]) -> None:
    """Add entities to those on the Doc, and mark all other tokens as outside."""
    iob, entity_type = doc.to_array([ENT_IOB, ENT_TYPE]).T
    blocked = numpy.flatnonzero((iob == 3) & (entity_type == 0))
    blocked_spans = [doc[i : i + 1] for i in blocked.tolist()]
    doc.set_ents([*doc.ents, *spans], blocked=blocked_spans, default="outside")
