"""CoNLL's own way of counting, written plainly: a state machine over two columns of tags."""

from collections.abc import Sequence


def count_chunks(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """Right, predicted and annotated chunks of one column of IOB2 tags, whose sentences are
    divided by "O"."""
    right = n_predicted = n_gold = 0
    both_open = False
    before = ("O", "O")
    for tags in [*zip(gold, predicted, strict=True), ("O", "O")]:
        ends = [_ends(b, t) for b, t in zip(before, tags)]
        starts = [_starts(b, t) for b, t in zip(before, tags)]
        if both_open and all(ends):
            right += 1
        if any(ends):
            both_open = False
        if all(starts) and _type(tags[0]) == _type(tags[1]):
            both_open = True
        n_gold += starts[0]
        n_predicted += starts[1]
        before = tags
    return right, n_predicted, n_gold


def _ends(before: str, tag: str) -> bool:
    return before != "O" and (tag == "O" or tag.startswith("B-") or _type(before) != _type(tag))


def _starts(before: str, tag: str) -> bool:
    return tag != "O" and (tag.startswith("B-") or before == "O" or _type(before) != _type(tag))


def _type(tag: str) -> str:
    return tag[2:]
