"""A grid file becomes runs; what's wrong with it is said before anything is trained."""

from pathlib import Path

import pytest
from thinc.api import ConfigValidationError

from spacy_hgn.experiments.grid import build_config, filter_runs, flatten, read_grid
from spacy_hgn.experiments.grid_file import GridError

from .conftest import ROOT, write_grid

GRIDS = sorted((ROOT / "experiments").glob("*.yml"))


def test_runs_are_the_product_with_all_systems_of_a_seed_together(project, content):
    runs = read_grid(write_grid({**content, "protocols": ["clean", "paper"]})).runs
    assert [(r.protocol, r.seed, r.system) for r in runs] == [
        ("clean", 0, "base"),
        ("clean", 0, "mlp"),
        ("clean", 1, "base"),
        ("clean", 1, "mlp"),
        ("paper", 0, "base"),
        ("paper", 0, "mlp"),
        ("paper", 1, "base"),
        ("paper", 1, "mlp"),
    ]
    assert len({run.id for run in runs}) == 8


def test_special_settings_win_over_general_ones(project, content):
    rate = "vars.learn_rate"
    content["overrides"] = {rate: 1, "training.dropout": 0.5}
    content["heroes"] = {"bert": {"name": "hero", "overrides": {rate: 2}}}
    content["systems"]["mlp"][rate] = 3
    content["where"] = [
        {"corpus": "tiny", "system": ["mlp"], "seed": 1, "overrides": {rate: 4}, "epochs": 9}
    ]
    runs = {(r.system, r.seed): r for r in read_grid(write_grid(content)).runs}
    assert {point: run.overrides[rate] for point, run in runs.items()} == {
        ("base", 0): 2,
        ("base", 1): 2,
        ("mlp", 0): 3,
        ("mlp", 1): 4,
    }
    assert runs["mlp", 1].epochs == 9
    assert runs["base", 0].overrides["training.dropout"] == 0.5
    assert runs["base", 0].overrides["vars.hero"] == "hero"


def test_groups_are_smaller_products(project, content):
    content["corpora"] = {"a": "tiny", "b": "tiny"}
    content["groups"] = [{"corpora": ["a"], "seeds": [0]}, {"corpora": ["b"], "systems": ["mlp"]}]
    runs = read_grid(write_grid(content)).runs
    assert [(r.corpus, r.seed, r.system) for r in runs] == [
        ("a", 0, "base"),
        ("a", 0, "mlp"),
        ("b", 0, "mlp"),
        ("b", 1, "mlp"),
    ]


def test_only_takes_runs_that_fit_all_conditions(project, content):
    runs = read_grid(write_grid(content)).runs
    chosen = filter_runs(runs, ["system=mlp,seed=0", "seed=1"])
    assert [(run.system, run.seed) for run in chosen] == [("mlp", 0), ("mlp", 1)]
    assert filter_runs(runs, []) == runs


@pytest.mark.parametrize(
    ("condition", "said"),
    [("system=dot", "the grid has base, mlp"), ("model=mlp", "corpus=wnut17"), ("x", "got 'x'")],
)
def test_conditions_that_fit_nothing_are_refused(project, content, condition, said):
    runs = read_grid(write_grid(content)).runs
    with pytest.raises(GridError, match=said):
        filter_runs(runs, [condition])


def test_another_setting_is_another_run(project, content):
    before = {run.id for run in read_grid(write_grid(content)).runs}
    content["systems"]["mlp"]["vars.learn_rate"] = 0.5
    after = {run.id for run in read_grid(write_grid(content)).runs}
    assert before & after == {name for name in before if "base" in name}


def test_another_train_share_is_another_run(project, content):
    def runs_of(source):
        return read_grid(write_grid({**content, "corpora": {"tiny": source}})).runs

    whole, named, half = (
        runs_of(source)
        for source in (
            "tiny",
            {"source": "tiny", "train_share": 1},
            {"source": "tiny", "train_share": 0.5},
        )
    )
    assert [run.id for run in whole] == [run.id for run in named]
    assert not {run.id for run in whole} & {run.id for run in half}
    assert {run.describe()["train_share"] for run in half} == {0.5}


def test_ids_are_those_of_results_that_are_older_than_train_share(project, content):
    assert read_grid(write_grid(content)).runs[0].id == "tiny-bert-base-clean-0-20135a6c"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"systms": {}}, "systms: there is no such setting"),
        ({"protocols": ["honest"]}, "protocols.0: expected 'paper', 'clean' or 'search', got 'hon"),
        ({"epochs": 0}, "epochs: expected greater than or equal to 1, got 0"),
        ({"batch": 0.5}, "batch: expected a valid integer, got 0.5"),
        ({"config": None}, "config: .*, got None"),
        ({"seeds": []}, "seeds: .* at least 1 item"),
        ({"seeds": ["x"]}, "seeds.0: expected a valid integer, got 'x'"),
        ({"systems": {"a/b": {}}}, "systems.a/b: .*, got 'a/b'"),
        ({"heroes": {"bert": {"overrides": {}}}}, "heroes.bert.name: expected, but missing"),
        ({"overrides": ["x"]}, r"overrides: expected a valid dictionary, got \['x'\]"),
        ({"groups": [{"corpora": ["tiny2"]}]}, "groups: expected some of .* corpora, got tiny2"),
        ({"where": [{"corpora": "tiny"}]}, "where.0.corpora: there is no such setting"),
        ({"where": [{"system": "dot"}]}, "where: expected some of the grid's systems, got dot"),
        ({"where": [{"seed": 2}]}, "where: expected some of the grid's seeds, got 2"),
        ({"corpora": {"tiny": {"folder": "x"}}}, "corpora.tiny.folder: there is no such setting"),
        ({"corpora": {"tiny": {"source": "x", "paper_trains_on": ["test"]}}}, "got 'test'"),
        ({"corpora": {"tiny": {"source": "x", "train_share": 0}}}, "greater than 0, got 0"),
        ({"corpora": {"tiny": {"source": "x", "train_share": 5}}}, "tiny.train_share: .*, got 5"),
        ({"corpora": {"tiny": {"source": "x", "train_share": "5%"}}}, "valid number, got '5%'"),
        ({"corpora": {"tiny": {"source": "x", "train_share": float("nan")}}}, "got nan"),
        ({"report": {"compare": ["base", "x"]}}, "report: expected some of .* systems, got x"),
        ({"report": {"baseline": "x"}}, "report: expected some of the grid's systems, got x"),
    ],
)
def test_what_is_wrong_in_a_grid_is_named(project, content, change, said):
    with pytest.raises(GridError, match=said):
        read_grid(write_grid({**content, **change}))


def test_epochs_are_not_optional(project, content):
    del content["epochs"]
    with pytest.raises(GridError, match="epochs: expected, because there is no recipe"):
        read_grid(write_grid(content))


def test_missing_file_and_bad_yaml_are_refused(project):
    with pytest.raises(GridError, match="expected a grid file"):
        read_grid(Path("nothing.yml"))
    Path("bad.yml").write_text("a: [")
    with pytest.raises(GridError, match="expected YAML"):
        read_grid(Path("bad.yml"))


def test_steps_and_warm_up_follow_from_epochs(project, content):
    content["where"] = [{"system": "mlp", "epochs": 3, "batch": 16}]
    run = next(r for r in read_grid(write_grid(content)).runs if r.system == "mlp")
    config = build_config(run, Path("configs/hgn.cfg"), sentences=100).interpolate()
    assert config["training"]["max_steps"] == 3 * 7
    assert config["training"]["eval_frequency"] == 7
    assert config["training"]["batcher"]["size"] == 16
    assert config["training"]["seed"] == run.seed
    assert config["training"]["optimizer"]["learn_rate"]["warmup_steps"] == 2
    settings = flatten(config)
    assert settings["components.hgn_ner.model.windows"] == [1, 3]
    assert settings["training.optimizer.learn_rate.total_steps"] == 21


def test_override_of_a_section_that_is_not_there_is_refused(project, content):
    content["overrides"] = {"components.ner.model.width": 3}
    run = read_grid(write_grid(content)).runs[0]
    with pytest.raises(ConfigValidationError):
        build_config(run, Path("configs/hgn.cfg"), sentences=100)


def test_override_of_a_variable_that_is_not_there_is_refused(project, content):
    content["overrides"] = {"vars.hero_learning_rate": 1e-4}
    run = read_grid(write_grid(content)).runs[0]
    with pytest.raises(
        GridError, match=r"vars\.hero_learn_rate, .*got one of vars\.hero_learning_"
    ):
        build_config(run, Path("configs/hgn.cfg"), sentences=100)


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.name)
def test_grids_of_the_project_are_sound(path):
    grid = read_grid(path)
    for run in grid.runs:
        if run.seed == grid.runs[0].seed:
            assert flatten(build_config(run, ROOT / grid.config, sentences=100))
    by_system = {}
    for run in grid.runs:
        by_system.setdefault(run.system, set()).add((run.corpus, run.hero, run.seed, run.protocol))
    assert len(set(map(frozenset, by_system.values()))) == 1, "each system has the same runs"


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.name)
def test_base_is_trained_as_long_as_the_others(path):
    epochs = {}
    for run in read_grid(path).runs:
        epochs.setdefault((run.corpus, run.hero, run.protocol), set()).add((run.epochs, run.batch))
    assert all(len(of_all_systems) == 1 for of_all_systems in epochs.values())


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.name)
def test_windows_and_fusion_are_named(path):
    """Other defaults of the config make no other runs."""
    for run in read_grid(path).runs:
        assert {f"components.hgn_ner.model.{key}" for key in ("windows", "fusion")} <= set(
            run.overrides
        )


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("training.batcher.size", "batch"),
        ("vars.recipe", "recipe"),
        ("training.max_steps", "epochs"),
    ],
)
def test_what_the_grid_has_a_key_for_is_no_override(project, content, setting, key):
    content["overrides"] = {setting: 8}
    with pytest.raises(GridError, match=f"set {setting} with the grid's key {key}"):
        read_grid(write_grid(content))


def test_a_recipe_of_an_exception_brings_its_epochs(project, content):
    content |= {"epochs": 5, "where": [{"system": "base", "recipe": "paper", "overrides": {}}]}
    runs = read_grid(write_grid(content)).runs
    assert {run.epochs for run in runs if run.system == "base"} == {20}
    assert {run.epochs for run in runs if run.system != "base"} == {5}
