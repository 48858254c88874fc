"""What does the Gang cost on a GPU, beside its Hero and beside cuDNN's LSTM over windows?

    python benchmarks/gpu.py

A BERT-large with random weights and the Gang at its width (1024, windows 5, 7 and 9), on 32 texts
of 24 and of 128 tokens, forward, and forward and backward, in float32 and in bfloat16.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from common import write_results
from gang import WINDOWS, make_units, packed
from transformers import BertConfig, BertModel

from spacy_hgn.layers.gang import Gang
from spacy_hgn.layers.precision import autocast

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
ROUNDS = 20


def main() -> None:
    """Measure all of it on the first GPU."""
    if not torch.cuda.is_available():
        sys.exit("There is no GPU that torch can use: this benchmark needs one.")
    device = torch.device("cuda")
    hero = BertModel(BertConfig(**LARGE), add_pooling_layer=False).to(device).eval()
    gang = Gang(LARGE["hidden_size"], WINDOWS, "lstm").to(device)
    units = make_units(LARGE["hidden_size"]).to(device)
    results = {}
    for tokens in (24, 128):
        lengths = [tokens] * 32
        ids = torch.randint(1000, 2000, (32, tokens), device=device)
        z = torch.randn(32 * tokens, LARGE["hidden_size"], device=device, requires_grad=True)
        runs: dict[str, Callable[[], torch.Tensor]] = {
            "hero": lambda ids=ids: hero(input_ids=ids).last_hidden_state,
            "gang": lambda z=z, lengths=lengths: gang(z, lengths),
            "packed": lambda z=z, lengths=lengths: packed(z, lengths, units),
        }
        for precision in ("float32", "bfloat16"):
            for way_back in (False, True):
                seconds = {n: time_of(run, precision, way_back) for n, run in runs.items()}
                direction = "forward and backward" if way_back else "forward"
                results[f"32 x {tokens}, {precision}, {direction}"] = {
                    **{f"{name}, ms": round(1000 * s, 2) for name, s in seconds.items()},
                    "gang / hero": round(seconds["gang"] / seconds["hero"], 3),
                    "packed / gang": round(seconds["packed"] / seconds["gang"], 2),
                }
    write_results("gpu", results)


def time_of(run: Callable[[], torch.Tensor], precision: str, way_back: bool) -> float:
    """Median seconds of a call, after three to warm up."""

    def call() -> None:
        with autocast(precision, torch.device("cuda")), torch.set_grad_enabled(way_back):
            output = run()
        if way_back:
            output.float().sum().backward()
        torch.cuda.synchronize()

    seconds = []
    for _ in range(ROUNDS + 3):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[3:])


if __name__ == "__main__":
    main()
