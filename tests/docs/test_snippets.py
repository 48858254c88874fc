"""Python on the pages runs, in their order, in a folder where tiny pipelines have their names."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import create_autospec

import huggingface_hub
import pytest
import spacy
from component.helpers import make_examples, make_hero_nlp, train, transformer_config
from spacy import displacy
from spacy.language import Language
from spacy.util import load_model_from_config
from thinc.api import Config

from spacy_hgn import take_head
from spacy_hgn.backend.optimizer import AdamW

from .pages import PAGES, ROOT, blocks_of, name_of

pytestmark = pytest.mark.slow

TEXT = "Maria Kowalczyk joined Siemens in Lisbon."
GOLD = [(TEXT, [(0, 15, "PERSON"), (23, 30, "ORG"), (34, 40, "GPE")])]
CLEANER = {"attrs": {"_.trf_data": None}}
IN_THE_NOTEBOOK = "docs/tutorial.md"
SNIPPETS = [
    page for page in PAGES if blocks_of(page, "python") and name_of(page) != IN_THE_NOTEBOOK
]
WHOLE_CONFIGS = [
    (page, block) for page in PAGES for block in blocks_of(page, "ini") if "[nlp]" in block
]


@pytest.fixture(scope="module")
def workplace(tiny_bert, tmp_path_factory) -> Path:
    """A folder that holds what the pages name."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "hero").mkdir()
    (folder / "hero" / "minilm").symlink_to(tiny_bert)
    nlp = make_hero_nlp(tiny_bert)
    nlp.add_pipe("doc_cleaner", config=CLEANER)
    train(nlp, GOLD, steps=40, learn_rate=0.003, drop=0.0)
    for name in ("en_hgn_demo", "training/news/calibrated"):
        (folder / name).mkdir(parents=True)
        nlp.to_disk(folder / name)
    (folder / "en_news").symlink_to("en_hgn_demo")
    frozen = make_frozen_nlp(tiny_bert)
    frozen.to_disk(folder / "en_people")
    for name in ("en_diseases", "heads/diseases", "heads/chemicals"):
        (folder / name).mkdir(parents=True)
        take_head(frozen).to_disk(folder / name)
    write_entities(folder / "out" / "entities")
    return folder


def make_frozen_nlp(hero: str) -> Language:
    nlp = spacy.blank("en")
    model = transformer_config(hero)["model"]
    model["@architectures"] = "spacy-hgn.FrozenTransformer.v1"
    nlp.add_pipe("transformer", config={"model": model})
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [1, 3]}})
    nlp.add_pipe("doc_cleaner", config=CLEANER)
    nlp.initialize(lambda: make_examples(nlp, GOLD))
    return nlp


def write_entities(folder: Path) -> None:
    """As ``spacy hgn annotate`` writes them."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.mkdir(parents=True)
    table = pyarrow.table({"document": ["a", "a"], "label": ["PERSON", "ORG"]})
    parquet.write_table(table, folder / "0000000.parquet")


def given(page: Path) -> dict[str, Any]:
    """What each snippet of a page takes for granted."""
    nlp = spacy.load("en_people" if page.stem == "heads" else "en_hgn_demo")
    doc = nlp(TEXT, disable=["doc_cleaner"])
    examples = make_examples(nlp, GOLD)
    return {
        "nlp": nlp,
        "doc": doc,
        "texts": [TEXT, "It rains."],
        "batches": [(examples, make_examples(nlp, GOLD))],
        "new": examples,
        "optimizer": AdamW(1e-3),
        "explanation": nlp.get_pipe("hgn_ner").explain(doc),
    }


@pytest.mark.parametrize("page", SNIPPETS, ids=name_of)
def test_python_runs(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(spacy, "require_gpu", spacy.prefer_gpu)
    monkeypatch.setattr(displacy, "serve", displacy.render)  # and don't wait for a browser
    monkeypatch.setattr(huggingface_hub, "HfApi", create_autospec(huggingface_hub.HfApi))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name: name.split("/")[1])
    module = ModuleType("snippets")
    monkeypatch.setitem(sys.modules, "snippets", module)
    for snippet in blocks_of(page, "python"):
        vars(module).update(given(page))
        exec(compile(snippet, name_of(page), "exec"), vars(module))


@pytest.mark.parametrize(
    ("page", "block"), WHOLE_CONFIGS, ids=[name_of(page) for page, _ in WHOLE_CONFIGS]
)
def test_whole_configs_make_pipelines(page, block, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    config = Config().from_str(block)
    nlp = load_model_from_config(config, auto_fill=True)
    assert nlp.pipe_names == config["nlp"]["pipeline"]


def test_the_server_answers(workplace, monkeypatch):
    client = pytest.importorskip("fastapi.testclient")
    monkeypatch.chdir(workplace)
    module = ModuleType("app")
    monkeypatch.setitem(sys.modules, "app", module)
    (snippet,) = blocks_of(ROOT / "docs" / "serving.md", "python")
    exec(snippet, vars(module))
    answer = client.TestClient(module.app).post("/entities", json={"texts": [TEXT, ""]})
    assert answer.status_code == 200
    first, second = answer.json()
    assert [(each["text"], each["label"]) for each in first] == [
        (TEXT[start:end], label) for start, end, label in GOLD[0][1]
    ]
    assert all(0 < each["score"] <= 1 for each in first)
    assert second == []
