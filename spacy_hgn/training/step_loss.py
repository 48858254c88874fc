"""The loss of a step that consists of several batches."""


class StepLoss:
    """The mean loss over a step's tokens, as a sum of contributions of its batches.

    ``training.accumulate_gradient`` divides a step into several batches, and spaCy sums their
    losses. The contributions add up to the mean over the tokens of all batches.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin a step, or a new dict of losses."""
        self._total = 0.0
        self._tokens = 0

    def add(self, total: float, tokens: int) -> float:
        """The change of the mean by a batch. total: its loss, summed over its tokens."""
        before = self._mean
        self._total += total
        self._tokens += tokens
        return self._mean - before

    @property
    def _mean(self) -> float:
        return self._total / max(self._tokens, 1)
