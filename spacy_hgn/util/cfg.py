"""The component's ``cfg``: JSON with a checksum, to detect damaged files."""

import hashlib
import json  # and not srsly, which may change the last digits of floats
from typing import Any

FORMAT = 1
"""The version of the format. Older releases refuse a newer one."""


def cfg_to_bytes(cfg: dict[str, Any]) -> bytes:
    """Serialize settings with the version of the format and a checksum."""
    stored = {"format": FORMAT, **cfg}
    return json.dumps({**stored, "sha256": _digest(stored)}, indent=2).encode("utf8")


def cfg_from_bytes(data: bytes, where: str) -> dict[str, Any]:
    """Read settings written by ``cfg_to_bytes``. where: the file's name in errors.

    Raises ValueError for data that are invalid, truncated, changed, or from a newer release.
    """
    try:
        cfg = json.loads(data.decode("utf8"))
        stored = cfg.pop("sha256")
        found = _digest(cfg)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"Can't read the labels in {where}: {error!r}") from error
    if stored != found:
        raise ValueError(
            f"The labels in {where} are damaged: their checksum doesn't match. "
            "Copy the pipeline again."
        )
    format = cfg.pop("format", FORMAT)  # early files have no version
    if format != FORMAT:
        raise ValueError(
            f"The labels in {where} are in format {format!r}, and this spacy-hgn reads format "
            f"{FORMAT}: a newer release wrote them. Update spacy-hgn."
        )
    return cfg


def _digest(cfg: dict[str, Any]) -> str:
    text = json.dumps(cfg, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf8")).hexdigest()
