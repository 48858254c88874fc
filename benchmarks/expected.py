"""What data-parallel training is to be expected to gain on many GPUs: computed, not measured.

    python benchmarks/expected.py

Sums over the parts of a step, from data sheets: nothing overlaps, as in spacy_hgn, which exchanges
all gradients at once when the last of them is there. The ranks' imbalance is drawn from the
lengths of WNUT 2017's training sentences.
"""

import numpy
from common import wnut17

HERO, GANG = 340e6, 23e6
"""Weights: BERT-large; windows 5, 7 and 9 at d = 1024, fusion and classifier."""
FLOP_A_TOKEN = 3 * (2 * 302e6 + 85e6)
"""Forward and backward; the Hero's embeddings take no products."""
FLOPS = 0.35 * 989e12
"""Of an H100 in bfloat16: its peak, and a share of it that Transformers reach."""
MEMORY = 2.7e12
"""Bytes a second: 80 % of an H100's 3.35 TB/s."""
TEXTS = 128
"""A rank's batch, of 32 tokens each."""
TOKENS = 32 * TEXTS
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
    compute = 1000 * TOKENS * FLOP_A_TOKEN / FLOPS
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
