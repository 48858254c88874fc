"""How much hard input is tried, and what came of it.

``HARD_INPUT=2000 pytest tests/robustness`` tries 2,000 inputs of each kind, others each time, and
shows the tally; without it 20 are tried, the same each time.
"""

import os
from collections import Counter

from hypothesis import HealthCheck, settings

IS_LONG = "HARD_INPUT" in os.environ
N_EXAMPLES = int(os.environ.get("HARD_INPUT", 20))


def tries(share: float = 1.0) -> settings:
    """Settings of a test with hard input. share: of the number of inputs, where each is slow."""
    return settings(
        max_examples=max(int(N_EXAMPLES * share), 5),
        deadline=None,
        derandomize=not IS_LONG,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


TRIED: dict[str, Counter[str]] = {}
"""For each kind of input how often an outcome was seen."""


def tally(kind: str, outcome: str) -> None:
    """Count an input."""
    TRIED.setdefault(kind, Counter())[outcome] += 1


def to_table() -> str:
    """The tally in Markdown."""
    rows = ["| input | tried | what happened |", "|---|---:|---|"]
    for kind, outcomes in sorted(TRIED.items()):
        told = ", ".join(f"{n:,} {outcome}" for outcome, n in outcomes.most_common())
        rows.append(f"| {kind} | {outcomes.total():,} | {told} |")
    return "\n".join(rows)
