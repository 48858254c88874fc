"""The Hero's output for a batch of Docs."""

from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData
from thinc.api import torch2xp
from thinc.types import Ragged
from transformers.utils import ModelOutput

# The outputs with a row for each sequence; XLNet's "mems" and decoders' caches have none.
ROW_OUTPUTS = ("last_hidden_state", "hidden_states", "attentions")


@dataclass
class HeroBatch(FullTransformerBatch):
    """spacy-transformers' batch, split by an alignment of each Doc.

    The base class finds a Doc's rows through a table of Token objects, where one Doc that
    stands twice in a batch is lost.
    """

    doc_aligns: list[Ragged] = field(default_factory=list)
    """Each Doc's alignment, its places counted through the Doc's own rows."""

    def split_by_doc(self) -> list[TransformerData]:
        """One TransformerData a Doc; an empty one for a Doc without tokens."""
        outputs = {
            name: _to_arrays(value)
            for name, value in self.model_output.items()
            if name in ROW_OUTPUTS
        }
        datas = []
        start = 0
        for spans, align in zip(self.spans, self.doc_aligns):
            rows = slice(start, start + len(spans))
            start = rows.stop
            if not spans:
                datas.append(TransformerData.empty())
                continue
            doc_output = ModelOutput(
                **{name: _take_rows(value, rows) for name, value in outputs.items()}
            )
            datas.append(TransformerData(self.wordpieces[rows], doc_output, align))
        return datas


def join_alignments(doc_aligns: list[Ragged], row_counts: list[int], row_width: int) -> Ragged:
    """The alignment of the whole batch, its places counted through all rows."""
    starts = numpy.cumsum([0, *row_counts[:-1]]) * row_width
    places = [align.dataXd + start for align, start in zip(doc_aligns, starts)]
    lengths = [align.lengths for align in doc_aligns]
    return Ragged(numpy.concatenate(places), numpy.concatenate(lengths))  # type: ignore[arg-type]


def _to_arrays(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch2xp(value)
    return [torch2xp(v.float()) for v in value]  # NumPy has no bfloat16


def _take_rows(value: Any, rows: slice) -> Any:
    return [v[rows] for v in value] if isinstance(value, list) else value[rows]
