"""The Thinc layer from Docs to what is known of their tokens, all in one array."""

from collections.abc import Callable
from typing import Any, cast

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Ints1d, Ragged
from torch import Tensor

from ..backend.blocks import Block, block_size, cut_blocks
from ..backend.torch_shim import TorchShim, divide_gradients
from ..gang.windows import to_device
from ..hero.frozen.frozen_vectors import count_layers
from ..hero.special_pieces import require_transformer
from ..hero.token_vectors import Sent, Tok2Vec, learn_vectors, read_vectors, sends_means, width_of
from .committee import Committee
from .hero_gang import HeroGang
from .hero_gang_shim import HeroGangShim

Flat = Model[list[Doc], Ragged]


class SumGradient(Ragged):
    """A gradient that is summed over tokens; what learns from it divides by their number.

    A plain Ragged in its place stays a sum.
    """

    def __init__(
        self, gradient: Tensor, lengths: Ints1d, tokens: int, sent: Sent | None = None
    ) -> None:
        """gradient: *Shape:* (tokens of all Docs, nO). lengths: of each Doc. tokens: those that
        have something to teach. sent: how the gradient goes on to what others learn from too;
        None is as it is."""
        super().__init__(torch2xp(gradient), lengths)
        self.tokens = tokens
        self.sent = sent or Sent(tokens)


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
    if shim_of(model).reads_edges:
        require_transformer(tok2vec)
    tok2vec.initialize(X=X)
    if model.has_dim("nI") is not True:
        model.set_dim("nI", width_of(tok2vec, X))
    outputs = model.maybe_get_dim("nO")
    if outputs is None and Y is not None and shim_of(model).is_tagger:
        outputs = Y[0].shape[1]
    module = shim_of(model).build(model.get_dim("nI"), outputs)
    if (layers := count_layers(tok2vec)) is not None:
        module.fit_layers(layers)
    model.set_dim("nO", module.width_out)


def finish_update(model: Flat, optimizer: Any) -> None:
    """Update all weights by the mean over the step's tokens, where these were counted.

    Modules that count divide by themselves. Where no token had anything to teach, nothing moves.
    """
    tokens = shim_of(model).step_size.last
    if tokens == 0:
        _end_without_update(model, optimizer)
        return
    if tokens and not shim_of(model).sends_means:
        _divide_arrays(model, tokens)
    model.finish_update(optimizer)


def _end_without_update(model: Flat, optimizer: Any) -> None:
    """Leave what is inside of the component as it is; its gradients are zeros."""
    for shim in (shim for node in model.walk() for shim in node.shims):
        if isinstance(shim, TorchShim):
            shim.finish_update(optimizer)


def _divide_arrays(model: Flat, tokens: int) -> None:
    """Make means of the sums in what is inside of the component and doesn't count."""
    for node in model.walk():
        for name in node.grad_names:
            node.set_grad(name, node.get_grad(name) / tokens)
        for shim in node.shims:
            if not isinstance(shim, TorchShim) or shim.step_size.last is None:
                divide_gradients(shim, tokens)


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
    if not total:
        return _to_ragged(found, list(map(len, docs)))
    done = 0
    for vectors in read_vectors(model.layers[0], docs, size, shim.device, shim.reads_edges):
        for block in cut_blocks(vectors.with_edges, size, reach=max(windows, default=1) // 2):
            z = _check_vectors(model, vectors.take(block.low, block.high))
            own = _own_tokens(block, vectors.is_edge, shim.device)
            with shim.predicting() as predicting:
                module = cast(HeroGang | Committee, predicting)
                part = getattr(module, method)(z, block.lengths)[own]
                if module.heard is not None:
                    module.heard.append(module.shares(z, block.lengths)[own])
            if len(part) == total:
                found = part
            else:
                found[done : done + len(part)] = part
            done += len(part)
    return _to_ragged(found, list(map(len, docs)))


def learn(model: Flat, docs: list[Doc]) -> tuple[Ragged, Callable[[Ragged], Any]]:
    """What the module says in training, and the way back through it to the tok2vec.

    A committee says it once a member, as if there were a copy of the Docs for each.
    """
    shim = shim_of(model)
    z, vectors, backprop_vectors = learn_vectors(
        model.layers[0], docs, shim.device, shim.reads_edges, shim.id
    )
    shim.sends_means = sends_means(model.layers[0], vectors)
    lengths = vectors.lengths * shim.members
    if not sum(lengths):
        return _to_ragged(z.new_empty(0, model.get_dim("nO")), lengths), lambda d_output: docs
    z = _check_vectors(model, z, is_train=True).requires_grad_(backprop_vectors is not None)
    inputs = ArgsKwargs((z, vectors.with_edges), {"rate": model.attrs["dropout_rate"]})
    output, backprop_module = shim.begin_update(inputs)
    if vectors.is_edge is not None:
        is_token = numpy.tile(~vectors.is_edge, shim.members)
        output = output[to_device(numpy.flatnonzero(is_token), shim.device)]

    def backprop(d_output: Ragged) -> Any:
        sent = None
        if isinstance(d_output, SumGradient):
            shim.step_size.add(shim.id, d_output.tokens)
            sent = d_output.sent
        d_logits = xp2torch(d_output.dataXd, device=shim.device)
        if output.requires_grad:
            backprop_module(ArgsKwargs(((output,),), {"grad_tensors": (d_logits,)}))
        return docs if backprop_vectors is None else backprop_vectors(cast(Tensor, z.grad), sent)

    return _to_ragged(shim._model.read(output.detach()), lengths), backprop


def _own_tokens(
    block: Block, is_edge: numpy.ndarray | None, device: torch.device
) -> slice | Tensor:
    """Where a block's own tokens are among all that is read for it."""
    if is_edge is None:
        return block.kept
    places = numpy.arange(block.high - block.low)[block.kept]
    return to_device(places[~is_edge[block.low + places]], device)


def _check_vectors(model: Flat, z: Tensor, is_train: bool = False) -> Tensor:
    """The vectors, if they are such as the module reads. Raises ValueError for others.

    While a pipeline is initialized, there are zeros in their place: these don't tell the layers.
    """
    width, module = model.get_dim("nI"), shim_of(model)._model
    if z.shape[-1] != width:
        raise ValueError(
            f"The vectors that {model.name} reads have width {z.shape[-1]}, but it was trained "
            f"on width {width}: they come from another Hero. Load the pipeline's components as "
            "they were saved together."
        )
    layers = z.shape[1] if z.dim() == 3 else 1
    if is_train or layers > 1:
        module.fit_layers(layers)
    if module.layers not in (None, layers):
        raise ValueError(
            f"{model.name} was trained on {module.layers} layer(s) of its Hero, but reads "
            f"{layers}. Expected a transformer as it was in training; if that was one of "
            "spacy-hgn.FrozenTransformer.v1, with the same layers, and Docs that it has read in "
            "this process: stored ones have the last layer alone."
        )
    return z


def _to_ragged(output: Tensor, lengths: list[int]) -> Ragged:
    return Ragged(torch2xp(output), numpy.array(lengths, dtype="int32"))  # type: ignore[arg-type]
