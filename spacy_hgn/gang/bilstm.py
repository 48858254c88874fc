"""A bidirectional LSTM, as taggers know it: its states are those at the token itself.

One direction reads the window from its left end up to the token, the other from its right end. A
window wider than the text is the whole text: ``windows = [255]`` reads sentences of up to 128
tokens. It is what the Gang's short windows are to be compared with.
"""

from .lstm import LSTM
from .windows import Window, WindowRuns


class BiLSTM(LSTM):
    """The LSTM of ``lstm.py`` that stops at the token."""

    def _readings(self, window: Window, block: int | None) -> tuple[WindowRuns, WindowRuns]:
        return window.rightward_to_token(block), window.leftward_to_token(block)
