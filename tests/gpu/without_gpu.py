"""What ``conftest.without_gpu`` runs in a process that sees no GPU."""

import json
import sys
from pathlib import Path

import spacy
import torch
from component.helpers import make_nlp

from .helpers import describe, teach


def main(loads: dict[str, str], into: str) -> None:
    """Describe pipelines from folders, and one that is trained here and stored."""
    assert not torch.cuda.is_available()
    torch.set_num_threads(2)
    told = {name: describe(spacy.load(folder)) for name, folder in loads.items()}
    nlp = make_nlp({"precision": "float32"})
    teach(nlp, 20)
    nlp.to_disk(Path(into) / "trained")
    told["trained"] = {**describe(nlp), "folder": str(Path(into) / "trained")}
    (Path(into) / "told.json").write_text(json.dumps(told), "utf8")


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
