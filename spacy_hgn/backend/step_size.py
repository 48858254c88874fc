"""How many tokens a step's gradients are summed over."""


class StepSize:
    """The tokens that teach a module in a step.

    Gradients are summed over the batches of a step, and over ranks, and divided by this number
    when the step ends: only then is it known. Components that share a Hero sum theirs in it, and
    what divides them is the largest of their numbers, that of one pass over the texts.
    """

    def __init__(self) -> None:
        self._tokens: dict[int, int] = {}
        self._is_over = False

    def add(self, teacher: int, tokens: int) -> None:
        """Count tokens; the first ones after ``end`` begin a step. teacher: tells components
        apart."""
        if self._is_over:
            self.clear()
        self._tokens[teacher] = self._tokens.get(teacher, 0) + tokens

    def set(self, tokens: int) -> None:
        """Take another number in the place of all."""
        self._tokens, self._is_over = {0: tokens}, False

    def end(self) -> None:
        """The step is done."""
        self._is_over = True

    def clear(self) -> None:
        """Forget what was counted."""
        self._tokens, self._is_over = {}, False

    @property
    def tokens(self) -> int | None:
        """Those of the step that goes on; None where nobody has counted, and sums stay sums."""
        return None if self._is_over else self.last

    @property
    def last(self) -> int | None:
        """Those of the step that goes on, or else of the one that is done."""
        return max(self._tokens.values(), default=None)
