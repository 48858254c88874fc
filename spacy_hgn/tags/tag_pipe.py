"""The base of a component that predicts tags: its labels and storage."""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary, ref

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from ..hero import trained_with
from ..hero.trained_with import TrainedOver
from ..tagger.flat import shim_of
from ..tagger.older_layout import in_present_layout
from ..util.sealed_pipe import SealedPipe
from ..util.settings import Settings
from .tag_set import TagSet, check_label

# The pipeline of each component; not in the component, which is pickled.
_owners: WeakKeyDictionary["TagPipe", ref[Language]] = WeakKeyDictionary()


class TagPipe(SealedPipe):
    """A component whose model maps Docs to tag probabilities.

    tag_set: the tags of its labels. temperature: the logits are divided by it for scores.
    trained_over: the fingerprint, layers and pooling of the frozen Hero that its vectors must come
        from, if it was trained over one.
    """

    vocab: Vocab
    model: Model[list[Doc], list[Floats2d]]
    name: str
    tag_set: TagSet
    temperature: float
    trained_over: TrainedOver | None
    _trained_with: str | None
    _settings: Settings

    @property
    def owner(self) -> Language | None:
        """The pipeline that the component was created for; None if it is unknown, deleted, or no
        longer has the component."""
        nlp = _owners.get(self, lambda: None)()
        if nlp is None or not any(pipe is self for _, pipe in nlp.components):
            return None
        return nlp

    @owner.setter
    def owner(self, nlp: Language) -> None:
        _owners[self] = ref(nlp)

    @property
    def trained_with(self) -> str | None:
        """The fingerprint of the Transformer or tok2vec that it was trained with; None while it
        learns, and if that is unknown. Set None to accept any that isn't frozen."""
        return self._trained_with

    @trained_with.setter
    def trained_with(self, fingerprint: str | None) -> None:
        self._trained_with = fingerprint
        trained_with.forget(self)

    @property
    def cfg(self) -> Settings:
        """The settings that can be changed, by name."""
        return self._settings

    @cfg.setter
    def cfg(self, values: Mapping[str, Any]) -> None:
        self._settings.update(values)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types, in the order they were added."""
        return self.tag_set.labels

    @property
    def label_data(self) -> list[str]:
        """The labels, as ``spacy init labels`` writes them and ``initialize`` reads them."""
        return list(self.labels)

    @property
    def is_resizable(self) -> bool:
        return True

    def add_label(self, label: str) -> int:
        """Add an entity type. A trained model keeps its weights and gets rows for it.

        Returns 1, or 0 if the label exists. Raises ValueError if tags can't represent it.
        """
        if check_label(label) in self.labels:
            return 0
        self.tag_set = TagSet(self.tag_set.scheme, (*self.labels, label))
        self.vocab.strings.add(label)
        module = shim_of(self._flat)._model
        if module is not None:
            module.resize(len(self.tag_set))
            for layer in (self._flat, self.model):
                layer.set_dim("nO", len(self.tag_set), force=True)
        return 1

    def get_cfg(self, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Everything to store except the weights. config: the component's stored section."""
        learnt = {"labels": list(self.labels), "temperature": self.temperature}
        changes = self.cfg.changes(config)
        changed = {"changed": changes} if changes else {}
        return {**self._architecture, **learnt, **changed, **trained_with.to_cfg(self)}

    def set_cfg(self, cfg: dict[str, Any]) -> None:
        """Load the stored settings. Raises ValueError if the config contradicts them."""
        for setting, value in self._architecture.items():
            if cfg[setting] != value:
                raise ValueError(
                    f"The component was trained with {setting} = {cfg[setting]!r}, but the "
                    f"config says {setting} = {value!r}."
                )
        self.cfg.change(cfg.get("changed", {}))
        self.temperature = cfg.get("temperature", 1.0)
        trained_with.load(self, cfg)
        self.tag_set = TagSet(cfg["tag_scheme"], tuple(cfg["labels"]))
        for label in self.labels:
            self.vocab.strings.add(label)

    def load_model(self, data: bytes) -> None:
        """Load weights. Raises ValueError if they don't fit the model or the labels."""
        self._check_outputs()
        super().load_model(in_present_layout(data))
        self._check_outputs()

    @property
    def _architecture(self) -> dict[str, Any]:
        """Settings that the config must repeat when a trained component is loaded."""
        return {"tag_scheme": self.tag_set.scheme, "windows": self.model.attrs.get("windows")}

    @property
    def _flat(self) -> Model[list[Doc], Ragged]:
        """The model that returns one array for all tokens of a batch."""
        return self.model.get_ref("flat")

    @property
    def _spans_key(self) -> str | None:
        """The key of the component's entities in ``doc.spans``; None if it writes none."""
        return self.name if self.cfg["scores"] else None

    def _require_initialized(self) -> None:
        if shim_of(self._flat)._model is None:
            raise ValueError(Errors.E109.format(name=self.name))

    def _check_outputs(self) -> None:
        outputs = self._flat.maybe_get_dim("nO")
        if outputs not in (None, len(self.tag_set)):
            raise ValueError(
                f"The model of {self.name} has nO = {outputs}, but its labels "
                f"({', '.join(self.labels) or 'none'}) need {len(self.tag_set)} tags. In a "
                "config leave nO = null; in a trained folder cfg and model don't belong together."
            )
