"""A training over a frozen Hero, with a committee, goes on where it was stopped."""

import pytest
from interruption import Killed
from thinc.api import fix_random_seed

from spacy_hgn.hero.frozen import frozen_hero
from spacy_hgn.training.recipes import fit_to_hero, read_recipe

from .helpers import ending_in, hero_config, table, train
from .test_going_on import elsewhere

pytestmark = pytest.mark.long


def frozen_config(hero, **overrides):
    """The recipe frozen over a tiny Hero, with a tagger beside it."""
    chosen = read_recipe("frozen").settings
    of_models = {name: value for name, value in chosen.items() if name.startswith("components.")}
    members = {"components.hgn_ner.model.members": 2}
    config = hero_config(hero, **{**of_models, **members, **overrides})
    fit_to_hero(config)
    config["components"]["transformer"]["model"]["precision"] = "float32"
    return config


@pytest.mark.parametrize("is_kept", [True, False])
def test_goes_on(is_kept, tiny_bert, folder, monkeypatch):
    config = frozen_config(tiny_bert)
    if is_kept:
        config["components"]["transformer"]["model"]["kept_in"] = str(folder / "kept")
    fix_random_seed(5)
    whole, expected = train(elsewhere(config))
    fix_random_seed(5)
    with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
        train(config)
    if is_kept:  # the run before has read all texts

        def read_again(*args):
            raise AssertionError("a text is read again")

        monkeypatch.setattr(frozen_hero, "read_layers", read_again)
    fix_random_seed(6)
    nlp, printed = train(config)
    assert "Resuming after step" in printed
    assert table(printed) == table(expected)
    for name in ("transformer", "tagger", "hgn_ner"):
        assert nlp.get_pipe(name).model.to_bytes() == whole.get_pipe(name).model.to_bytes(), name
