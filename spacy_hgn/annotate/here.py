"""The default engine: this process, a shard after the other."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .plan import Shard
from .settings import Settings
from .shard import Progress, Receipt, annotate_shard

if TYPE_CHECKING:
    from spacy.language import Language


def load_pipeline(settings: Settings) -> "Language":
    """The pipeline, and the code that it needs."""
    from spacy.cli._util import import_code
    from spacy.util import load_model

    import_code(settings.code)
    return load_model(settings.pipeline)


def annotate_here(
    nlp: "Language", shards: Iterable[Shard], settings: Settings, progress: Progress
) -> Iterator[Receipt]:
    """Do shards in this process."""
    for shard in shards:
        yield annotate_shard(nlp, shard, settings, progress)
