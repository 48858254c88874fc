"""The Thinc layer from Docs to one array for all of their tokens."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary, WeakSet

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Ints1d, Ragged
from torch import Tensor

from ..backend.torch_shim import TorchShim, divide_gradients
from ..gang.windows import to_device
from ..hero.frozen.frozen_vectors import count_layers
from ..hero.listeners import require_any_vectors
from ..hero.token_vectors import (
    Sent,
    Tok2Vec,
    learn_vectors,
    read_vectors,
    require_transformer,
    sends_means,
    width_of,
)
from .committee import Committee
from .hero_gang import HeroGang
from .hero_gang_shim import HeroGangShim

Flat = Model[list[Doc], Ragged]

BLOCK_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Maximum number of tokens to predict at once, by device type, which bounds the memory for long
Docs and large batches."""

# The Docs that a layer was initialized with. During initialization, spaCy predicts them without
# having run the components before.
_samples: WeakKeyDictionary[HeroGangShim, WeakSet[Doc]] = WeakKeyDictionary()


class SumGradient(Ragged):
    """A gradient that is summed over tokens, to be divided by their number.

    A plain Ragged isn't divided.
    """

    def __init__(
        self, gradient: Tensor, lengths: Ints1d, tokens: int, sent: Sent | None = None
    ) -> None:
        """gradient: *Shape:* (tokens of all Docs, nO). lengths: of each Doc. tokens: the
        number of annotated tokens. sent: how to send the gradient to a shared component; None
        is unchanged."""
        super().__init__(torch2xp(gradient), lengths)
        self.tokens = tokens
        self.sent = sent or Sent(tokens)


def flat_hero_gang(
    tok2vec: Tok2Vec, shim: HeroGangShim, dropout: float, nO: int | None = None
) -> Flat:
    """Make the layer over the Hero.

    It returns a Ragged: ``dataXd`` on the device, *shape* (tokens, nO), and ``lengths``, the number
    of tokens of each Doc, on the host. The data of a tagger are probabilities. As in Thinc's
    Softmax, the backward pass takes the gradient of the logits.

    tok2vec: from Docs to vectors. shim: holds the module that reads them. dropout: rate on the
    vectors. nO: a tagger's number of tags, if known.
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
    if not shim_of(model).is_tagger:  # a tagger's component has looked
        new = _without_samples(model, docs)
        require_any_vectors(model.layers[0], new, "spacy-hgn.HeroGangTok2Vec.v1")
    return ask_module(model, docs, "predict", model.get_dim("nO")), lambda d_output: docs


def init(model: Flat, X: list[Doc] | None = None, Y: Any = None) -> None:
    (tok2vec,) = model.layers
    _samples[shim_of(model)] = WeakSet(doc for doc in X or [] if isinstance(doc, Doc))
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


def _without_samples(model: Flat, docs: list[Doc]) -> list[Doc]:
    samples = _samples.get(shim_of(model), ())
    return [doc for doc in docs if isinstance(doc, Doc) and doc not in samples]


def finish_update(model: Flat, optimizer: Any) -> None:
    """Update all weights with gradients averaged over the step's tokens, if these were counted.

    Modules that count divide themselves. Without any annotated token, nothing is updated.
    """
    tokens = shim_of(model).step_size.last
    if tokens == 0:
        _end_without_update(model, optimizer)
        return
    if tokens and not shim_of(model).sends_means:
        _divide_arrays(model, tokens)
    model.finish_update(optimizer)


def _end_without_update(model: Flat, optimizer: Any) -> None:
    """End a step without updating the component's weights, whose gradients are zero."""
    for shim in (shim for node in model.walk() for shim in node.shims):
        if isinstance(shim, TorchShim):
            shim.finish_update(optimizer)


def _divide_arrays(model: Flat, tokens: int) -> None:
    """Turn sums into means in the parts of the component that don't count tokens."""
    for node in model.walk():
        for name in node.grad_names:
            node.set_grad(name, node.get_grad(name) / tokens)
        for shim in node.shims:
            if not isinstance(shim, TorchShim) or shim.step_size.last is None:
                divide_gradients(shim, tokens)


def shim_of(model: Flat) -> HeroGangShim:
    return cast(HeroGangShim, model.shims[0])


def ask_module(model: Flat, docs: list[Doc], method: str, width: int) -> Ragged:
    """Call a method of the module on all tokens, in prediction, block by block.

    width: of the result. Returns a Ragged like the layer.
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
                if module.recorded is not None:
                    module.recorded.append(module.shares(z, block.lengths)[own])
            if len(part) == total:
                found = part
            else:
                found[done : done + len(part)] = part
            done += len(part)
    return _to_ragged(found, list(map(len, docs)))


def block_size(device: torch.device) -> int:
    """The maximum number of tokens per block on a device."""
    return BLOCK_TOKENS.get(device.type, BLOCK_TOKENS["cpu"])


class Block(NamedTuple):
    """Consecutive tokens of a batch, with the neighbours in their windows.

    low, high: the range of tokens to read. lengths: the number of these tokens in each text.
    kept: the block's own tokens, as a slice of the range.
    """

    low: int
    high: int
    lengths: list[int]
    kept: slice


def cut_blocks(lengths: Sequence[int], size: int, reach: int) -> Iterator[Block]:
    """Cut concatenated texts into blocks. reach: the number of neighbours on each side."""
    total = sum(lengths)
    if not total:
        return
    if total <= size:
        yield Block(0, total, list(lengths), slice(None))
        return
    bounds = numpy.cumsum([0, *lengths])
    for first in range(0, total, size):
        after = min(first + size, total)
        low = max(first - reach, int(bounds[bounds <= first][-1]))
        high = min(after + reach, int(bounds[bounds >= after][0]))
        within = numpy.diff(bounds.clip(low, high))
        yield Block(low, high, within[within > 0].tolist(), slice(first - low, after - low))


def learn(model: Flat, docs: list[Doc]) -> tuple[Ragged, Callable[[Ragged], Any]]:
    """The module's output in training, and the backward function.

    A committee returns one output per member, as if there were a copy of the Docs for each.
    """
    shim = shim_of(model)
    _samples.pop(shim, None)  # initialization is over
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
    """The indices of a block's own tokens in the vectors that are read for it."""
    if is_edge is None:
        return block.kept
    places = numpy.arange(block.high - block.low)[block.kept]
    return to_device(places[~is_edge[block.low + places]], device)


def _check_vectors(model: Flat, z: Tensor, is_train: bool = False) -> Tensor:
    """Return the vectors. Raises ValueError if the module doesn't accept them.

    During initialization, they are zeros without layers.
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
