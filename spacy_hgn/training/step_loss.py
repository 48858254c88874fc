"""The loss of a step, as its batches come."""


class StepLoss:
    """The mean over a step's tokens, told batch by batch to a dict of losses that add up.

    ``training.accumulate_gradient`` makes several batches of a step. Added up, what they are told
    to add is the mean over all of them, whatever their sizes.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A step begins, or another dict takes its loss."""
        self._total = 0.0
        self._tokens = 0

    def add(self, total: float, tokens: int) -> float:
        """By how much a batch changes the mean. total: its loss, summed over its tokens."""
        before = self._mean
        self._total += total
        self._tokens += tokens
        return self._mean - before

    @property
    def _mean(self) -> float:
        return self._total / max(self._tokens, 1)
