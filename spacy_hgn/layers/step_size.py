"""How many tokens a step's gradients are summed over."""


class StepSize:
    """The tokens that have taught a module since its weights were last updated.

    Gradients are summed over the batches of a step, and over ranks, and divided by this number
    when the step ends: only then is it known. Components that share a Hero sum theirs in it, and
    what divides them is the largest of their numbers, that of one pass over the texts.
    """

    def __init__(self) -> None:
        self._tokens: dict[int, int] = {}

    def add(self, teacher: int, tokens: int) -> None:
        """Count tokens. teacher: tells components apart."""
        self._tokens[teacher] = self._tokens.get(teacher, 0) + tokens

    def set(self, tokens: int | None) -> None:
        """Take another number in the place of all; None is as after ``clear``."""
        self._tokens = {} if tokens is None else {0: tokens}

    def clear(self) -> None:
        """The step is done."""
        self._tokens = {}

    @property
    def tokens(self) -> int | None:
        """The number; None where nobody has counted, and sums stay sums."""
        return max(self._tokens.values(), default=None)
