"""Train a pipeline as spaCy does, and see to it that something was learnt.

The step ``train`` of the workflow ``build``. The log of the training is training/NAME/log.jsonl.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import srsly

ABOUT_0 = 0.01
"""An F1 below which nothing was learnt."""

ADVICE = """Train for longer (--vars.steps 1000, --vars.warmup 100), with another learning rate
(--vars.learn_rate, --vars.hero_learn_rate), or on more sentences. If that doesn't help, look at the
corpus: python -m spacy hgn debug data"""


def main() -> None:
    """Train on corpus/NAME by training/NAME.cfg."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name")
    parser.add_argument("--gpu-id", default="-1")
    args = parser.parse_args()
    training, corpus = Path("training", args.name), Path("corpus", args.name)
    log = training / "log.jsonl"
    log.unlink(missing_ok=True)  # or spaCy would keep it, and log nothing
    command = ["-m", "spacy", "train", f"{training}.cfg", "--output", str(training)]
    command += ["--gpu-id", args.gpu_id]
    command += ["--paths.train", str(corpus / "train.spacy")]
    command += ["--paths.dev", str(corpus / "dev.spacy")]
    print(f"$ python {shlex.join(command)}", flush=True)
    if status := subprocess.run([sys.executable, *command]).returncode:
        sys.exit(status)
    if problem := find_problem(list(srsly.read_jsonl(log))):
        sys.exit(f"{training / 'model-best'} is of no use: {problem}.\n{ADVICE}")


def find_problem(evaluations: list[dict[str, Any]]) -> str | None:
    """Why the best checkpoint is of no use; None where it is.

    evaluations: the lines of spaCy's log of a training.
    """
    best = max(evaluations, key=lambda each: each["score"])
    if best["step"] == 0:
        return "the network was best before it was trained, at step 0"
    if best["score"] < ABOUT_0:
        return f"its F1 on dev is {best['score']:.2%}"
    return None


if __name__ == "__main__":
    main()
