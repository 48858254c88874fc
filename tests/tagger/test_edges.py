"""Edges of texts in the windows, beside a plain reading: a text, a token and a window at a time."""

from typing import NamedTuple

import numpy
import pytest
import torch
from component.helpers import LISTENER, make_examples, make_hero_nlp, probabilities
from hero.plain_alignment import align_by_offsets
from thinc.api import set_dropout_rate
from thinc.types import Ragged
from tiny_heroes import BUILDERS
from torch import nn
from transformers import AutoModel, AutoTokenizer

from spacy_hgn.tagger.flat import ask_module, shim_of

from . import oracle

TEXTS = [
    "Apple hired Tim Cook in 1998 , and nobody knows why .",
    "Apple",
    "",
    "Tim Cook",
    "\u200b Apple hired \u200b",
    " ",
]
"""The last but one begins and ends with a token without pieces, the last has nothing else."""
WINDOWS = [1, 3, 7]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    names = ("bert", "roberta", "xlnet", "deberta")
    return {name: str(BUILDERS[name](tmp_path_factory.mktemp(name))) for name in names}


def make(folder, edges=True, **settings):
    """A pipeline with random weights, without dropout and in float32."""
    settings = {"windows": WINDOWS, "dropout": 0.0, "precision": "float32", **settings}
    nlp = make_hero_nlp(folder, edges=edges, **settings)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def flat_of(nlp):
    return nlp.get_pipe("hgn_ner").model.get_ref("flat")


def module_of(nlp):
    return shim_of(flat_of(nlp))._model


class Plain(NamedTuple):
    """A text's vectors, and where the rows of its tokens are in the Hero's output."""

    left: list[torch.Tensor]
    tokens: list[torch.Tensor]
    right: list[torch.Tensor]
    pieces: list[int | None]
    """Of the edge to the left, each token, and the edge to the right, if they are there."""

    @property
    def all(self):
        return [*self.left, *self.tokens, *self.right]

    @property
    def own(self):
        return slice(len(self.left), len(self.left) + len(self.tokens))


def read_plainly(folder, doc):
    """The Hero's vectors as transformers alone compute them for the text."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    hero = AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer(doc.text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        hidden = hero(**encoded).last_hidden_state[0]
    firsts = [own[0] if own else None for own in align_by_offsets(doc[:], doc.text, offsets)]
    is_xlnet = hero.config.model_type == "xlnet"  # its text is before <sep> <cls>
    left, right = ([] if is_xlnet else [0]), [len(offsets) - (2 if is_xlnet else 1)]
    return Plain(
        [hidden[i] for i in left],
        [hidden[0] * 0 if i is None else hidden[i] for i in firsts],
        [hidden[i] for i in right],
        [*left, *firsts, *right],
    )


def torchs_lstm(unit, width):
    """PyTorch's own, with the weights of ours."""
    lstm = nn.LSTM(width, width // 2, bidirectional=True)
    halves = zip(unit.project.weight.chunk(2), unit.project.bias.chunk(2))
    recurs = (unit.recur_right.weight, unit.recur_left.weight)
    with torch.no_grad():
        for side, (weight, bias), recur in zip(("", "_reverse"), halves, recurs):
            getattr(lstm, f"weight_ih_l0{side}").copy_(weight)
            getattr(lstm, f"bias_ih_l0{side}").copy_(bias)
            getattr(lstm, f"weight_hh_l0{side}").copy_(recur)
            getattr(lstm, f"bias_hh_l0{side}").zero_()
    return lstm


def read_windows(text, i, module):
    """All windows around the i-th of a text's vectors. *Shape:* (windows, width)"""
    states = []
    for window, unit in zip(WINDOWS, module.gang.units):
        k = window // 2
        inside = torch.stack(text[max(0, i - k) : i + k + 1])
        _, (last, _) = torchs_lstm(unit, inside.shape[1])(inside)
        states.append(last.flatten())
    return torch.stack(states)


def fuse_plainly(nlp, text, fusion):
    """The fused vectors of a text's tokens, window by window with PyTorch's own LSTM."""
    module = module_of(nlp)
    tokens = range(len(text.all))[text.own]
    with torch.no_grad():
        h = torch.stack([read_windows(text.all, i, module) for i in tokens]).numpy()
    parameters = oracle.part_of(oracle.parameters_of(module), "fusion")
    return oracle.fuse(torch.stack(text.tokens).numpy(), h, parameters, fusion)


def tag_plainly(nlp, fused):
    """The tags' probabilities of fused vectors."""
    weights = oracle.parameters_of(module_of(nlp))
    logits = fused @ weights["classifier.weight"].T + weights["classifier.bias"]
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def assert_near(found, expected):
    assert [f.shape for f in found] == [e.shape for e in expected]
    for left, right in zip(found, expected):
        numpy.testing.assert_allclose(left, right, atol=2e-5)


# Predictions


@pytest.mark.parametrize("name", ["bert", "roberta", "xlnet", "deberta"])
def test_predictions_are_those_of_pytorchs_lstm_over_windows_with_edges(name, folders):
    nlp = make(folders[name])
    docs = [nlp.make_doc(text) for text in TEXTS if text]
    plain = [read_plainly(folders[name], doc) for doc in docs]
    assert {len(text.left) for text in plain} == {0 if name == "xlnet" else 1}
    expected = [tag_plainly(nlp, fuse_plainly(nlp, text, "dot")) for text in plain]
    assert_near([f for f in probabilities(nlp, TEXTS) if len(f)], expected)


@pytest.mark.parametrize("fusion", oracle.FUSIONS)
@pytest.mark.parametrize("recurrence", oracle.RECURRENCES)
def test_predictions_are_the_oracles(recurrence, fusion, folders):
    nlp = make(folders["bert"], recurrence=recurrence, fusion=fusion)
    parameters = oracle.parameters_of(module_of(nlp))
    expected = []
    for text in filter(None, TEXTS):
        plain = read_plainly(folders["bert"], nlp.make_doc(text))
        z = torch.stack(plain.all).numpy().astype("float64")
        fused = oracle.hero_gang(z, [len(z)], parameters, WINDOWS, recurrence, fusion)
        expected.append(tag_plainly(nlp, fused[plain.own]))
    assert_near([f for f in probabilities(nlp, TEXTS) if len(f)], expected)


def test_weights_are_the_oracles(folders):
    nlp = make(folders["bert"])
    docs = list(nlp.pipe(TEXTS))
    parameters = oracle.parameters_of(module_of(nlp))
    expected = []
    for doc in filter(len, docs):
        plain = read_plainly(folders["bert"], doc)
        z = torch.stack(plain.all).numpy().astype("float64")
        h = oracle.gang(z, [len(z)], oracle.part_of(parameters, "gang"), WINDOWS, "lstm")
        fusion = oracle.part_of(parameters, "fusion")
        expected.append(oracle.source_weights(z[plain.own], h[plain.own], fusion, "dot"))
    found = ask_module(flat_of(nlp), docs, "weights", len(WINDOWS) + 1)
    assert found.lengths.tolist() == list(map(len, docs))
    assert_near([found.dataXd], [numpy.concatenate(expected)])


def test_edges_are_seen_from_the_windows_that_reach_them(folders):
    """Windows of 7 reach three tokens to either side: the others' probabilities don't change."""
    without, nlp = make(folders["bert"], edges=False), make(folders["bert"])
    module_of(nlp).load_state_dict(module_of(without).state_dict())
    (before,), (after,) = (probabilities(each, TEXTS[:1]) for each in (without, nlp))
    moved = abs(after - before).max(axis=1) > 1e-4
    assert moved.tolist() == [True] * 3 + [False] * (len(moved) - 6) + [True] * 3
    numpy.testing.assert_allclose(after[3:-3], before[3:-3], atol=1e-6)


@pytest.mark.parametrize("pooling", ["reduce_mean.v1", "reduce_last.v1"])
def test_edges_go_through_the_pooling(pooling, folders):
    """Pieces alone stay as they are: where all tokens have one, it makes no difference."""
    texts = ["Tim was in New", "Apple hired Tim Cook"]
    listener = {**LISTENER, "pooling": {"@layers": pooling}}
    first, pooled = make(folders["bert"]), make(folders["bert"], tok2vec=listener)
    module_of(pooled).load_state_dict(module_of(first).state_dict())
    lone, several = zip(*(probabilities(nlp, texts) for nlp in (first, pooled)))
    numpy.testing.assert_allclose(*lone, atol=1e-6)
    assert abs(several[0] - several[1]).max() > 1e-4


# Gradients


class Taught(NamedTuple):
    """What a training step over Docs gave: probabilities, and the gradient of the Hero's rows."""

    probabilities: list[numpy.ndarray]
    d_hidden: list[numpy.ndarray]
    d_logits: list[numpy.ndarray]


def teach(nlp, docs, rate=0.0):
    """A step of the layer over vectors that lie on the Docs, with a random gradient."""
    datas = nlp.get_pipe("transformer").predict(docs).doc_data
    listener = nlp.get_pipe("hgn_ner").model.get_ref("tok2vec").layers[0]
    taken = []
    listener.receive(listener.get_batch_id(docs), datas, taken.extend)
    set_dropout_rate(nlp.get_pipe("hgn_ner").model, rate)
    found, backprop = flat_of(nlp).begin_update(docs)
    random = numpy.random.default_rng(0)
    d_logits = random.normal(size=found.dataXd.shape).astype("float32")
    backprop(Ragged(d_logits, found.lengths))
    ends = numpy.cumsum(found.lengths)[:-1]
    d_hidden = [data.model_output.last_hidden_state for data in taken]
    return Taught(numpy.split(found.dataXd, ends), d_hidden, numpy.split(d_logits, ends))


@pytest.mark.parametrize("name", ["bert", "xlnet"])
@pytest.mark.parametrize("recurrence", oracle.RECURRENCES)
def test_gradients_are_the_oracles(recurrence, name, folders):
    """Those of edges and of tokens; no other piece gets any."""
    nlp = make(folders[name], recurrence=recurrence)
    docs = [nlp.make_doc(text) for text in TEXTS[:5]]
    found = teach(nlp, docs)
    assert [len(each) for each in found.probabilities] == list(map(len, docs))
    weights = {n: torch.from_numpy(w) for n, w in oracle.parameters_of(module_of(nlp)).items()}
    filled = [i for i, doc in enumerate(docs) if len(doc)]
    assert len(found.d_hidden) == len(filled)
    for i, d_hidden in zip(filled, found.d_hidden):
        plain = read_plainly(folders[name], docs[i])
        z = torch.stack(plain.all).double().requires_grad_()
        fused = oracle.hero_gang(z, [len(z)], weights, WINDOWS, recurrence, "dot", torch)
        logits = fused[plain.own] @ weights["classifier.weight"].T
        (logits * torch.from_numpy(found.d_logits[i])).sum().backward()
        expected = numpy.zeros(d_hidden[0].shape)
        for place, gradient in zip(plain.pieces, z.grad.numpy()):
            if place is not None:
                expected[place] += gradient
        read = slice(plain.pieces[-1] + 1)  # padding, where tokens without pieces are, learns not
        numpy.testing.assert_allclose(d_hidden[0][read], expected[read], atol=1e-4)
        assert d_hidden[0][plain.pieces[-1]].any()
        assert d_hidden[0][0].any()  # BERT's [CLS]


def test_without_edges_special_pieces_get_no_gradient(folders):
    nlp = make(folders["bert"], edges=False)
    [d_hidden] = teach(nlp, [nlp.make_doc(TEXTS[0])]).d_hidden
    assert not d_hidden[0][0].any()
    assert not d_hidden[0][-1].any()


def test_edges_are_dropped_out_as_tokens_are(folders):
    """What was dropped gets no gradient."""
    nlp = make(folders["bert"])
    docs = [nlp.make_doc("Tim Cook") for _ in range(8)]

    def share_without_gradient(rate):
        edges = [d[0][[0, -1]] for d in teach(nlp, docs, rate).d_hidden]
        return float((numpy.stack(edges) == 0).mean())

    assert share_without_gradient(0.0) == 0
    assert share_without_gradient(0.5) == pytest.approx(0.5, abs=0.1)


def test_training_says_what_prediction_says(folders):
    nlp = make(folders["bert"])
    found = teach(nlp, [nlp.make_doc(text) for text in TEXTS]).probabilities
    assert_near(found, probabilities(nlp, TEXTS))
