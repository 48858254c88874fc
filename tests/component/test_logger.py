"""The logger: what spaCy's training loop prints with it."""

from io import StringIO

import numpy
import pytest
from spacy.training.loop import train_while_improving
from thinc.api import Adam

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.training.logger import make_console_logger

from .helpers import make_examples, make_nlp


def run_loop(logger, steps=6, optimizer=None, accumulate=1):
    """What is written in some steps of spaCy's loop, and the losses of each step."""
    nlp = make_nlp({"dropout": 0.0})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    optimizer = AdamW(0.001) if optimizer is None else optimizer
    out = StringIO()
    nlp.config["training"] |= {"max_steps": steps, "eval_frequency": 3}
    log_step, finalize = logger(nlp, out, out)
    told = []
    loop = train_while_improving(
        nlp,
        optimizer,
        ((0, list(examples)) for _ in range(steps)),
        lambda: (0.5, {"ents_f": 0.5, "ents_p": 0.5, "ents_r": 0.5}),
        dropout=0.0,
        eval_frequency=3,
        accumulate_gradient=accumulate,
        patience=0,
        max_steps=steps,
        exclude=[],
        annotating_components=[],
        before_update=None,
    )
    for _, info, _ in loop:
        told.append(dict(info["losses"]))
        log_step(info if info["score"] is not None else None)
    finalize()
    return out.getvalue(), told, nlp, examples


class Noting:
    """A logger that keeps what it's told."""

    def __init__(self):
        self.infos = []

    def __call__(self, nlp, stdout, stderr):
        return self.infos.append, lambda: None


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_loss_is_that_of_a_token(accumulate):
    noting = Noting()
    _, told, nlp, _ = run_loop(make_console_logger(logger=noting), accumulate=accumulate)
    infos = [info for info in noting.infos if info is not None]
    first, second = infos[0]["losses"]["hgn_ner"], infos[1]["losses"]["hgn_ner"]
    assert first == pytest.approx(told[0]["hgn_ner"])  # of one step
    assert second == pytest.approx(told[3]["hgn_ner"] / 3)  # of the three since then
    assert first == pytest.approx(numpy.log(len(nlp.get_pipe("hgn_ner").tag_set)), rel=0.3)
    assert second < 1.1 * first


def test_norm_and_share_are_told_at_each_evaluation():
    printed, *_ = run_loop(make_console_logger())
    lines = [line for line in printed.splitlines() if "gradients' norm" in line]
    assert len(lines) == 1  # the first step comes module by module and has no norm of its own
    assert "of 3 steps clipped" in lines[0]
    assert "LOSS HGN_NER" in printed


def test_another_logger_finds_them_among_the_scores():
    noting = Noting()
    run_loop(make_console_logger(logger=noting), optimizer=AdamW(0.001, grad_clip=1e-6))
    scores = [info["other_scores"] for info in noting.infos if info is not None]
    assert [each.get("clipped") for each in scores] == [None, 1.0]
    assert scores[1]["gradient_norm"] > 0
    assert all(each["ents_f"] == 0.5 for each in scores)


def test_with_another_optimizer_only_the_loss_is_told():
    printed, *_ = run_loop(make_console_logger(), optimizer=Adam(0.001))
    assert "gradients' norm" not in printed
    assert "LOSS HGN_NER" in printed
