"""What a training may see, and which epoch is tested."""

from dataclasses import dataclass
from typing import Literal

ProtocolName = Literal["paper", "clean", "search"]
TrainingPart = Literal["train", "dev"]


@dataclass(frozen=True)
class Protocol:
    """training_parts: of the corpus, trained on. selects_on_dev: the epoch with the best F1 on
    dev is tested, else the last one. reads_test: else dev alone is scored."""

    training_parts: tuple[TrainingPart, ...]
    selects_on_dev: bool
    reads_test: bool


PROTOCOLS: dict[str, Protocol] = {
    "paper": Protocol(("train", "dev"), selects_on_dev=False, reads_test=True),
    "clean": Protocol(("train",), selects_on_dev=True, reads_test=True),
    "search": Protocol(("train",), selects_on_dev=True, reads_test=False),
}
"""``paper`` is the published one; ``search`` is for choosing settings without the test part."""
