"""The Thinc layer from Docs to what is known of their tokens, all in one array."""

from collections.abc import Callable
from typing import Any, cast

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Ragged
from torch import Tensor

from .blocks import block_size, cut_blocks
from .hero_gang_shim import HeroGangShim
from .token_vectors import Tok2Vec, learn_vectors, read_vectors, width_of

Flat = Model[list[Doc], Ragged]


def flat_hero_gang(
    tok2vec: Tok2Vec, shim: HeroGangShim, dropout: float, nO: int | None = None
) -> Flat:
    """Make the layer over the Hero.

    It returns a Ragged of ``dataXd`` on the device, *shape* (tokens, nO), and ``lengths`` on
    the host, the tokens of each Doc. A tagger's data are probabilities; as with Thinc's Softmax,
    what it takes back is the gradient of the logits.

    tok2vec: from Docs to vectors. shim: holds the module that reads these. dropout: rate
    on the vectors. nO: a tagger's number of tags, where it is known.
    """
    return Model(
        "hero_gang",
        forward,
        init=init,
        layers=[tok2vec],
        shims=[shim],
        dims={"nI": None, "nO": nO},
        attrs={"dropout_rate": dropout},
    )


def forward(model: Flat, docs: list[Doc], is_train: bool) -> tuple[Ragged, Callable]:
    if is_train:
        return learn(model, docs)
    return ask_module(model, docs, "predict", model.get_dim("nO")), lambda d_output: docs


def init(model: Flat, X: list[Doc] | None = None, Y: Any = None) -> None:
    (tok2vec,) = model.layers
    tok2vec.initialize(X=X)
    if model.has_dim("nI") is not True:
        model.set_dim("nI", width_of(tok2vec, X))
    outputs = model.maybe_get_dim("nO")
    if outputs is None and Y is not None and shim_of(model).is_tagger:
        outputs = Y[0].shape[1]
    module = shim_of(model).build(model.get_dim("nI"), outputs)
    model.set_dim("nO", module.width_out)


def shim_of(model: Flat) -> HeroGangShim:
    return cast(HeroGangShim, model.shims[0])


def ask_module(model: Flat, docs: list[Doc], method: str, width: int) -> Ragged:
    """What a method of the module says of all tokens, in prediction, block by block.

    width: of what it says. Returns as the layer does.
    """
    shim = shim_of(model)
    windows = shim.cfg["windows"]
    total, size = sum(map(len, docs)), block_size(shim.device)
    found = torch.empty((total, width), device=shim.device)
    done = 0
    for vectors in read_vectors(model.layers[0], docs, size, shim.device):
        for block in cut_blocks(vectors.lengths, size, reach=max(windows, default=1) // 2):
            z = _check_width(model, vectors.take(block.low, block.high))
            with shim.predicting() as module:
                part = getattr(module, method)(z, block.lengths)[block.kept]
            if len(part) == total:
                found = part
            else:
                found[done : done + len(part)] = part
            done += len(part)
    return _to_ragged(found, list(map(len, docs)))


def learn(model: Flat, docs: list[Doc]) -> tuple[Ragged, Callable[[Ragged], Any]]:
    """What the module says in training, and the way back through it to the tok2vec."""
    shim = shim_of(model)
    z, lengths, backprop_vectors = learn_vectors(model.layers[0], docs, shim.device)
    if not sum(lengths):
        return _to_ragged(z.new_empty(0, model.get_dim("nO")), lengths), lambda d_output: docs
    z = _check_width(model, z).requires_grad_(backprop_vectors is not None)
    inputs = ArgsKwargs((z, lengths), {"rate": model.attrs["dropout_rate"]})
    output, backprop_module = shim.begin_update(inputs)

    def backprop(d_output: Ragged) -> Any:
        d_logits = xp2torch(d_output.dataXd, device=shim.device)
        if output.requires_grad:
            backprop_module(ArgsKwargs(((output,),), {"grad_tensors": (d_logits,)}))
        return docs if backprop_vectors is None else backprop_vectors(cast(Tensor, z.grad))

    return _to_ragged(shim._model.read(output.detach()), lengths), backprop


def _check_width(model: Flat, z: Tensor) -> Tensor:
    if z.shape[1] != model.get_dim("nI"):
        raise ValueError(
            f"The vectors that {model.name} reads have width {z.shape[1]}, but it was trained "
            f"on width {model.get_dim('nI')}: they come from another Hero. Load the pipeline's "
            "components as they were saved together."
        )
    return z


def _to_ragged(output: Tensor, lengths: list[int]) -> Ragged:
    return Ragged(torch2xp(output), numpy.array(lengths, dtype="int32"))  # type: ignore[arg-type]
