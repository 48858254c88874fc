"""What data-parallel training is to be expected to gain on many GPUs: computed, not measured.

    python benchmarks/expected.py

Sums over the parts of a step: forward and backward as measured on one H100 (results/gpu.json), the
rest from data sheets. Nothing overlaps, as in spacy_hgn, which exchanges all gradients at once when
the last of them is there. The ranks' imbalance is drawn from the
lengths of WNUT 2017's training sentences.
"""

import json

import numpy
from common import ROOT, wnut17

RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"

HERO, GANG = 340e6, 23e6
"""Weights: BERT-large; windows 5, 7 and 9 at d = 1024, fusion and classifier."""
MEASURED = "32 x 128, bfloat16, forward and backward"
"""Of Hero and Gang, on as many tokens as a rank's batch has."""
MEMORY = 2.7e12
"""Bytes a second: 80 % of an H100's 3.35 TB/s."""
TEXTS = 128
"""A rank's batch, of 32 tokens each."""
NETWORKS = {
    "NVLink 4, one box": lambda n: 360e9,
    "PCIe 4, one box": lambda n: 20e9,
    "8 x 400 Gb/s a box": lambda n: 350e9,
    "100 Gb/s a box": lambda n: 12e9 * (n - 1) / (n - 8),  # each box of 8 sends its sum once
}
"""Bytes a second with which a ring of all GPUs passes data on, as NCCL counts them."""
ROWS = [
    (1, "-"),
    (4, "NVLink 4, one box"),
    (4, "PCIe 4, one box"),
    (8, "NVLink 4, one box"),
    (64, "8 x 400 Gb/s a box"),
    (64, "100 Gb/s a box"),
]


def main() -> None:
    """Print the table of benchmarks/README.md."""
    lengths = numpy.array([len(doc) for doc in wnut17("wnut17train.conll")])
    weights = HERO + GANG
    measured = json.loads(RESULTS.read_text())["results"]["gang"][MEASURED]
    compute = measured["hero, ms"] + measured["gang, ms"]
    optimizer = 1000 * (28 + 12) * weights / MEMORY  # AdamW's passes, then the norm's
    print("| GPUs | network | sent by each | all-reduce | slowest rank | efficiency |")
    for gpus, network in ROWS:
        sent = 2 * (gpus - 1) / gpus * 4 * weights
        exchange = 1000 * sent / NETWORKS[network](gpus) if gpus > 1 else 0.0
        copies = 1000 * 8 * weights / MEMORY if gpus > 1 else 0.0
        longest = imbalance(lengths, gpus)
        step = compute * longest + optimizer + copies + exchange
        print(
            f"| {gpus} | {network} | {sent / 1e9:.2f} GB | {exchange:.1f} ms | "
            f"{compute * longest:.1f} ms | {(compute + optimizer) / step:.0%} |"
        )
    print(f"compute {compute:.1f} ms, optimizer {optimizer:.1f} ms, {4 * weights / 1e9:.2f} GB")


def imbalance(lengths: numpy.ndarray, ranks: int) -> float:
    """How many times as many tokens as a mean rank's the longest batch of a step has."""
    drawn = numpy.random.default_rng(0).choice(lengths, (500, ranks, TEXTS)).sum(axis=2)
    return float((drawn.max(axis=1) / drawn.mean()).mean())


if __name__ == "__main__":
    main()
