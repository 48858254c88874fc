"""How fast is the Gang beside torch's LSTM over windows, and beside a loop over positions?

    python benchmarks/gang.py

Windows 5, 7 and 9 over texts as long as those of WNUT 2017's test part, in float32.
"""

from collections.abc import Callable, Sequence

import torch
from common import side_by_side, wnut17, write_results
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spacy_hgn.gang.gang import Gang
from spacy_hgn.gang.windows import cut_windows

WINDOWS = [5, 7, 9]
TEXTS = 32
ROUNDS = 7
PADDED_TO = 128


def main() -> None:
    """Measure each width, forward and with the way back."""
    lengths = [len(doc) for doc in wnut17("emerging.test.annotated")][:TEXTS]
    results = {}
    for width in (384, 1024):
        torch.manual_seed(0)
        z = torch.randn(sum(lengths), width)
        gang, units = Gang(width, WINDOWS, "lstm"), make_units(width)
        forward: dict[str, Callable] = {
            "gang": lambda z=z, gang=gang: gang(z, lengths),
            "packed": lambda z=z, units=units: packed(z, lengths, units),
            "positions": lambda z=z, units=units: by_position(z, lengths, units),
        }
        with torch.no_grad():
            results[f"forward, d = {width}"] = speeds(forward, sum(lengths))
        del forward["positions"]
        both = {name: with_way_back(run, z) for name, run in forward.items()}
        results[f"forward and backward, d = {width}"] = speeds(both, sum(lengths))
    write_results("gang", results)


def make_units(width: int) -> nn.ModuleList:
    """A bidirectional LSTM of torch for each window."""
    return nn.ModuleList(
        nn.LSTM(width, width // 2, bidirectional=True, batch_first=True) for _ in WINDOWS
    )


def packed(z: Tensor, lengths: Sequence[int], units: nn.ModuleList) -> Tensor:
    """torch.nn.LSTM over all windows of all texts, packed by one look-up of their tokens."""
    states = []
    for width, unit in zip(WINDOWS, units):
        rows, actives, unsort = pack_windows(lengths, width)
        tokens = z.index_select(0, rows.to(z.device))
        _, (last, _) = unit(PackedSequence(tokens, actives))
        both = torch.cat([last[0], last[1]], dim=-1)
        states.append(both.index_select(0, unsort.to(z.device)))
    return torch.stack(states, dim=1)


def pack_windows(lengths: Sequence[int], width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The rows that the windows read, step by step and longest window first; how many windows
    are read at each step; and the place of each token's window among the sorted ones."""
    window = cut_windows(lengths, width, torch.device("cpu"))
    steps = torch.from_numpy(window.left + window.right + 1)
    order = torch.argsort(steps, descending=True, stable=True)
    first = (torch.arange(len(steps)) - torch.from_numpy(window.left))[order]
    actives = [int((steps > step).sum()) for step in range(int(steps.max()))]
    rows = torch.cat([first[:active] + step for step, active in enumerate(actives)])
    return rows, torch.tensor(actives), torch.argsort(order)


def by_position(z: Tensor, lengths: Sequence[int], units: nn.ModuleList) -> list[Tensor]:
    """A loop over positions of texts that are padded to 128 tokens."""
    texts = z.split(list(lengths))
    longest = PADDED_TO + max(WINDOWS) - 1
    states = []
    for window, unit in zip(WINDOWS, units):
        k = window // 2
        padded = z.new_zeros(len(texts), longest, z.shape[1])
        for row, text in enumerate(texts):
            padded[row, k : k + len(text)] = text
        for i in range(PADDED_TO):
            _, (last, _) = unit(padded[:, i : i + window])
            states.append(torch.cat([last[0], last[1]], dim=-1))
    return states


def with_way_back(run: Callable[[], Tensor], z: Tensor) -> Callable[[], None]:
    """The same with the gradients of inputs and weights."""

    def both() -> None:
        z.requires_grad_()
        run().sum().backward()

    return both


def speeds(candidates: dict[str, Callable], tokens: int) -> dict[str, float]:
    """Tokens a second of each, and how many times as fast the Gang is."""
    seconds = side_by_side(candidates, ROUNDS)
    results = {f"{name}, tokens/s": round(tokens / s) for name, s in seconds.items()}
    for name, s in seconds.items():
        if name != "gang":
            results[f"gang / {name}"] = round(s / seconds["gang"], 2)
    return results


if __name__ == "__main__":
    main()
