"""The number of tokens over which a step's gradients are summed."""


class StepSize:
    """The number of tokens that contribute to a module's gradients in a step.

    Gradients are summed over the batches of a step and over ranks. They are divided by this number
    at the end of the step, because it isn't known earlier. Components that share a Hero sum their
    gradients in it. Those are divided by the largest of their numbers, the tokens of one pass over
    the texts.
    """

    def __init__(self) -> None:
        self._tokens: dict[int, int] = {}
        self._is_over = False

    def add(self, teacher: int, tokens: int) -> None:
        """Add tokens. The first call after ``end`` begins a new step. teacher: identifies the
        component."""
        if self._is_over:
            self.clear()
        self._tokens[teacher] = self._tokens.get(teacher, 0) + tokens

    def set(self, tokens: int) -> None:
        """Set the number, instead of all that were added."""
        self._tokens, self._is_over = {0: tokens}, False

    def end(self) -> None:
        """End the step."""
        self._is_over = True

    def clear(self) -> None:
        """Forget all counts."""
        self._tokens, self._is_over = {}, False

    @property
    def tokens(self) -> int | None:
        """The tokens of the current step; None if nobody has counted: sums then stay sums."""
        return None if self._is_over else self.last

    @property
    def last(self) -> int | None:
        """The tokens of the current step, or of the last one if it has ended."""
        return max(self._tokens.values(), default=None)
