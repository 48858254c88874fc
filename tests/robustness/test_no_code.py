"""Loading runs no code of the model's files, unpickles nothing and asks no network."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly

from spacy_hgn.hero.hero_files import hero_from_bytes

from .helpers import hero_message
from .trying import tally

pytestmark = pytest.mark.slow

GUARD = Path(__file__).parent / "guard.py"


@pytest.fixture
def message(folder: Path) -> dict[str, Any]:
    """What a Hero's bytes hold; tests put into it what they like."""
    return hero_message(spacy.load(folder))


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers would ask the user whether to run a model's code."""
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail(prompt))


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess:
    """Run Python as a user would who is online and has an empty cache of models."""
    switches = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    environment = {name: value for name, value in os.environ.items() if name not in switches}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**environment, "HF_HOME": str(home)},
        cwd=GUARD.parent,
        capture_output=True,
        text=True,
    )


def test_a_pipeline_loads_without_pickle_network_and_code_of_its_own(folder, tmp_path):
    found = run(str(GUARD), str(folder), home=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout == "5\n"
    tally("loading with pickle, sockets and processes forbidden", "answered")


@pytest.mark.parametrize(
    "forbidden",
    [
        "import pickle; pickle.loads(pickle.dumps(1))",
        "import numpy, pickle; numpy.load(io.BytesIO(pickle.dumps(1)), allow_pickle=True)",
        "import _pickle, pickle; _pickle.loads(pickle.dumps(print))",
        "import torch; torch.load('model')",
        "socket.create_connection(('localhost', 1))",
        "socket.getaddrinfo('localhost', 1)",
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "import runpy; runpy.run_path('folder/code.py')",
    ],
)
def test_the_guard_sees_what_is_forbidden(forbidden, tmp_path):
    (tmp_path / "code.py").touch()
    first, _, then = forbidden.partition("; ") if "; " in forbidden else ("", "", forbidden)
    then = then.replace("folder", str(tmp_path))
    script = f"import io, socket; {first}\nimport guard; guard.forbid({str(tmp_path)!r}); {then}"
    found = run("-c", script, home=tmp_path)
    assert found.returncode == 1
    assert found.stderr.startswith("tried:")


@pytest.mark.parametrize("name", ["../code.py", "/tmp/code.py", "a/b", "..", ".", ""])
def test_a_file_outside_of_the_tokenizers_folder_is_refused(name, message):
    message["tokenizer"][name] = b"print()"
    with pytest.raises(ValueError, match="expected a name without folder"):
        hero_from_bytes(srsly.msgpack_dumps(message))
    tally("a Hero's file that would be written elsewhere", "refused")


@pytest.mark.usefixtures("nobody_answers")
@pytest.mark.parametrize("where", ["config", "tokenizer"])
def test_a_hero_that_needs_code_of_its_own_is_refused(where, message):
    if where == "config":
        message["config"].update(model_type="own", auto_map={"AutoConfig": "own--code.Config"})
    else:
        own = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own--code.Own", None]}}
        message["tokenizer"]["tokenizer_config.json"] = srsly.json_dumps(own).encode()
    with pytest.raises(ValueError, match="custom code"):
        hero_from_bytes(srsly.msgpack_dumps(message))
    tally("a Hero with code of its own", "refused")


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation_internal"])
def test_an_attention_from_the_hub_is_passed_over(key, message):
    message["config"][key] = "nobody/attention:forward"
    message["tokenizer"]["config.json"] = srsly.json_dumps(message["config"]).encode()
    hero = hero_from_bytes(srsly.msgpack_dumps(message))
    assert hero.transformer.config._attn_implementation != "nobody/attention:forward"
    tally("a Hero whose attention is code on the hub", "loaded with the library's own")


@pytest.mark.parametrize("dump", [pickle.dumps, lambda weights: b"", lambda weights: b"{}"])
def test_weights_that_are_no_safetensors_are_refused(dump: Callable[[Any], bytes], message):
    message["weights"] = dump({"weights": [1.0]})
    with pytest.raises(ValueError, match="Can't read the weights of Hero"):
        hero_from_bytes(srsly.msgpack_dumps(message))
    tally("a Hero whose weights are a pickle", "refused")
