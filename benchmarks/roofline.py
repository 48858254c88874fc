"""How close do Gang and Hero come to what the processor can multiply, and how do they grow?

    python benchmarks/roofline.py [--hero minilm|mpnet|FOLDER]

Operations are those of matrix products (two for a multiplication and its addition). The peak is a
product of two square matrices, measured in the same run.
"""

import time
from collections.abc import Callable, Sequence

import torch
from common import HERO, check_hero, wnut17, write_results
from torch import nn
from transformers import AutoModel

from spacy_hgn.backend.torch_shim import autocast
from spacy_hgn.gang.gang import Gang
from spacy_hgn.gang.windows import cut_windows

WINDOWS = (5, 7, 9)
WIDTH = 384
ROUNDS = 5
CPU = torch.device("cpu")


@torch.no_grad()
def main() -> None:
    """Measure the peak, the share of it that is reached, and the growth of each cost."""
    lengths = [len(doc) for doc in wnut17("emerging.test.annotated")][:32]
    results = {
        "GFLOP/s of the peak": {p: round(peak(p) / 1e9) for p in ("float32", "bfloat16")},
        "Gang, WNUT 2017's lengths": {
            f"d = {width}, {precision}": gang(lengths, WINDOWS, width, precision)
            for width in (384, 1024)
            for precision in ("float32", "bfloat16")
        },
        "Hero, 32 sequences": {
            f"{pieces} pieces, {precision}": hero(pieces, precision)
            for pieces in (24, 128)
            for precision in ("float32", "bfloat16")
        },
        "Gang by tokens a text": {
            length: gang([length] * max(1, 768 // length), WINDOWS, WIDTH)
            for length in (2, 6, 12, 24, 96, 768)
        },
        "Gang by windows": {
            str(list(windows)): gang(lengths, windows, WIDTH)
            for windows in ((1,), (3,), (5,), (7,), (9,), (11,), (5, 7), (5, 7, 9), (1, 3, 5, 7))
        },
        "Gang by width": {
            width: gang(lengths, WINDOWS, width) for width in (128, 256, 384, 768, 1024)
        },
    }
    write_results("roofline", results)


def peak(precision: str) -> float:
    """Operations a second of a product of two square matrices."""
    size = 2048
    a, b = torch.randn(2, size, size, dtype=getattr(torch, precision))
    return 2 * size**3 / best(lambda: a @ b)


def gang(
    lengths: Sequence[int], windows: Sequence[int], width: int, precision: str = "float32"
) -> dict[str, float]:
    """The Gang alone, over texts of these lengths."""
    module = Gang(width, windows, "lstm").eval()
    z = torch.randn(sum(lengths), width)
    with autocast(precision, CPU):
        seconds = best(lambda: module(z, lengths))
    return figures(gang_operations(lengths, windows, width), len(z), seconds)


def gang_operations(lengths: Sequence[int], windows: Sequence[int], width: int) -> int:
    """Of the input projections, and of the products with the states after the first step."""
    tokens, hidden = sum(lengths), width // 2
    total = 0
    for width_of_window in windows:
        window = cut_windows(lengths, width_of_window, CPU)
        total += 2 * tokens * width * 8 * hidden
        for reading in (window.rightward(), window.leftward()):
            steps = sum(len(row) for runs in reading.blocks for row in runs.rows[1:])
            total += 2 * steps * hidden * 4 * hidden
    return total


def hero(pieces: int, precision: str) -> dict[str, float]:
    """The Hero alone, over 32 sequences of full length."""
    check_hero(HERO)
    module = AutoModel.from_pretrained(HERO, add_pooling_layer=False).eval()
    ids = torch.randint(1000, 2000, (32, pieces))
    with autocast(precision, CPU):
        seconds = best(lambda: module(input_ids=ids))
    weights = sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Linear))
    config = module.config
    attention = 4 * config.num_hidden_layers * pieces * config.hidden_size
    return figures(ids.numel() * (2 * weights + attention), ids.numel(), seconds)


def figures(operations: int, tokens: int, seconds: float) -> dict[str, float]:
    """Of a run: operations a token, tokens a second, operations a second."""
    return {
        "MFLOP a token": round(operations / tokens / 1e6, 2),
        "tokens/s": round(tokens / seconds),
        "GFLOP/s": round(operations / seconds / 1e9),
    }


def best(run: Callable[[], object]) -> float:
    """Seconds of the fastest call, after one to warm up."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
