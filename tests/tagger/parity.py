"""How far the layers are from the oracle: ``python -m tests.layers.parity``."""

import numpy
import torch

from spacy_hgn.tagger.hero_gang import HeroGang

from . import oracle

LENGTHS = [3, 0, 1, 9]
WINDOWS = [1, 3, 9]


def largest_difference(
    recurrence: str, fusion: str, dtype: torch.dtype, width: int = 16, seed: int = 0
) -> float:
    """The largest absolute difference of any fused vector from the oracle's, in float64."""
    torch.manual_seed(seed)
    module = HeroGang(width, WINDOWS, recurrence, fusion).to(dtype)
    z = torch.randn(sum(LENGTHS), width, dtype=dtype)
    expected = oracle.hero_gang(
        z.numpy().astype("float64"),
        LENGTHS,
        oracle.parameters_of(module),
        WINDOWS,
        recurrence,
        fusion,
    )
    found = module(z, LENGTHS).detach().numpy().astype("float64")
    return float(numpy.abs(found - expected).max())


def parity_table() -> str:
    """The largest differences of all settings, as a Markdown table."""
    lines = ["| recurrence | fusion | float32 | float64 |", "|---|---|---|---|"]
    for recurrence in oracle.RECURRENCES:
        for fusion in oracle.FUSIONS:
            differences = [
                largest_difference(recurrence, fusion, dtype)
                for dtype in (torch.float32, torch.float64)
            ]
            lines.append(f"| {recurrence} | {fusion} | " + "{:.1e} | {:.1e} |".format(*differences))
    return "\n".join(lines)


if __name__ == "__main__":
    print(parity_table())
