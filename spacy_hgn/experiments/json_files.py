"""JSON files whose numbers stay what they are: srsly's 0.3 comes back as 0.30000000000000004."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """What a file holds."""
    return json.loads(path.read_text(encoding="utf8"))


def write_json(path: Path, content: Any) -> None:
    """Write a file anew."""
    path.write_text(json.dumps(content), encoding="utf8")
