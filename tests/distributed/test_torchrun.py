"""The command that users run: ``torchrun --nproc-per-node 2 -m spacy train``."""

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from checkpoints.helpers import hero_config, table

from .helpers import SECONDS, ranks_config

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]

DIES = """
import os, signal
from spacy.util import registry

@registry.callbacks("dies")
def make_dies():
    def die(nlp, args):
        if os.environ["RANK"] == "1" and args["step"] == 6:
            os.kill(os.getpid(), signal.SIGKILL)
    return die
"""


def torchrun(config: Path, *arguments: str) -> subprocess.CompletedProcess:
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    training = ["-m", "spacy", "train", str(config), "--output", "out", *arguments]
    (config.parent / "out").mkdir()
    return subprocess.run(
        [*launcher, *training], cwd=config.parent, capture_output=True, text=True, timeout=SECONDS
    )


def test_trains_by_settings_alone(tiny_bert, folder):
    hero_config(tiny_bert).to_disk(folder / "config.cfg")
    settings = {
        "corpora.train.@readers": "spacy-hgn.ShardedCorpus.v1",
        "training.logger": '{"@loggers": "spacy-hgn.Distributed.v1"}',
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    done = torchrun(folder / "config.cfg", *options)
    assert done.returncode == 0, done.stderr
    assert len(table(done.stdout)) == 4
    assert done.stdout.count("Saved pipeline") == 1
    assert spacy.load(folder / "out" / "model-best")("Maria lives in Lisbon .")


def test_a_killed_rank_ends_all_and_leaves_whole_pipelines(tiny_bert, folder):
    config = ranks_config(tiny_bert)
    config["training"]["before_update"] = {"@callbacks": "dies"}
    config.to_disk(folder / "config.cfg")
    (folder / "dies.py").write_text(DIES)
    done = torchrun(folder / "config.cfg", "--code", "dies.py")
    assert done.returncode != 0
    assert "SIGKILL" in done.stderr or "-9" in done.stderr
    assert len(table(done.stdout)) == 2
    for name in ("model-best", "model-last"):
        assert spacy.load(folder / "out" / name)("Maria lives in Lisbon .")
