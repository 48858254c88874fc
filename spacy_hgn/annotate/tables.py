"""Parquet through pyarrow, an optional dependency."""

from importlib.util import find_spec

from .errors import AnnotatingError


def require_pyarrow() -> None:
    """Raise AnnotatingError with what to install where pyarrow lacks."""
    if find_spec("pyarrow") is None:
        raise AnnotatingError(
            "Parquet needs pyarrow, which isn't installed: pip install 'spacy-hgn[annotate]'; "
            "or take other inputs and write DocBin, --to docbin."
        )


def unreadable(error: Exception) -> bool:
    """Whether the file's bytes are at fault, rather than the disk or the network.

    pyarrow tells of damaged bytes by ValueError and by OSError without a number.
    """
    return not (isinstance(error, OSError) and error.errno is not None)
