"""spacy_hgn: named entities with the Hero-Gang Neural model, as a spaCy component."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .explain.explanation import Explanation as Explanation
    from .heads import attach as attach
    from .heads import take_head as take_head
    from .hgn_ner import HgnNer as HgnNer

__version__ = "0.1.0"

_EXPORTS = {
    "Explanation": ".explain.explanation",
    "HgnNer": ".hgn_ner",
    "attach": ".heads",
    "take_head": ".heads",
}

__all__ = ["Explanation", "HgnNer", "attach", "take_head"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: python -m spacy_hgn.backend.gpu runs before spaCy is installed.
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name], __name__), name)
