"""The registered builders: Hero → Gang → fusion → tag probabilities."""

from collections.abc import Callable, Sequence
from typing import Any

from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import FullTransformerBatch
from spacy_transformers.layers import split_trf_batch, trfs2arrays
from thinc.api import Model, chain, ragged2list
from thinc.types import Floats2d, Ragged

from .hero.frozen.frozen_hero import FrozenHero
from .hero.hero import Hero
from .tagger.flat import flat_hero_gang
from .tagger.hero_gang import check_settings
from .tagger.hero_gang_shim import HeroGangShim

Tok2Vec = Model[list[Doc], list[Floats2d]]


def build_hero_gang_tagger(
    tok2vec: Tok2Vec,
    windows: Sequence[int] = (5, 7, 9),
    recurrence: str = "lstm",
    fusion: str = "dot",
    dropout: float = 0.1,
    nO: int | None = None,
    precision: str = "auto",
    edges: bool = False,
    feed_forward: int = 0,
    normalize: bool = False,
    head_dropout: bool = False,
    members: int = 1,
) -> Tok2Vec:
    """Build a tagger over the Hero and the Gang (paper, section 2).

    The model reads Docs and returns one array of tag probabilities per Doc.
    *Shape:* (tokens, nO), each row a softmax.

    tok2vec: the Hero: any layer from Docs to token vectors, usually a TransformerListener.
    windows: odd widths of the windows around each token, each once; [] is the plain Transformer,
        without Gang and fusion.
    recurrence: the unit that reads a window, lstm, bilstm, gru, rnn, cnn or mlp.
    fusion: the combination of windows and Hero, dot, add, concat or mlp.
    dropout: rate on the Hero's vectors in training. ``nlp.update(drop=...)`` overrides it, and so
        does ``training.dropout`` in ``spacy train``.
    nO: the number of tags, set by the component.
    precision: of Gang and fusion, "float32", "bfloat16", or "auto", which is bfloat16 if the
        hardware has instructions for it.
    edges: whether windows of a text's first and last tokens include the Hero's special pieces
        before and after the text, such as [CLS] and [SEP], as in the authors' code. They get no
        tags. Only spacy-hgn.TransformerModel.v1 provides them. Without windows they have no effect.
    feed_forward: hidden units, in multiples of the Hero's width, of a layer with GELU that is added
        to the Hero's vectors before the windows; 0 is no layer.
    normalize: whether to normalize the Hero's vectors first (LayerNorm).
    head_dropout: whether to use dropout in the feed-forward layer and before the classifier too,
        for a Hero that isn't trained.
    members: the number of heads that are trained together and predict with their mean probability.
    If the Hero returns several layers (spacy-hgn.FrozenTransformer.v1), the model begins with a
    learnt mix of them. Raises ValueError for invalid values.
    """
    settings = check_settings(
        windows,
        recurrence,
        fusion,
        edges=edges,
        feed_forward=feed_forward,
        normalize=normalize,
        head_dropout=head_dropout,
        members=members,
    )
    shim = HeroGangShim(settings, is_tagger=True, precision=precision)
    return _over(tok2vec, shim, dropout, nO)


def build_hero_gang_tok2vec(
    tok2vec: Tok2Vec,
    windows: Sequence[int] = (5, 7, 9),
    recurrence: str = "lstm",
    fusion: str = "dot",
    dropout: float = 0.1,
    precision: str = "auto",
    edges: bool = False,
    feed_forward: int = 0,
    normalize: bool = False,
) -> Tok2Vec:
    """Build the fused vectors as a tok2vec for any component (``spancat``, ``textcat`` ...).

    The model reads Docs and returns one array per Doc. *Shape:* (tokens, width).
    The arguments are those of ``build_hero_gang_tagger``.
    """
    settings = check_settings(
        windows,
        recurrence,
        fusion,
        edges=edges,
        feed_forward=feed_forward,
        normalize=normalize,
    )
    shim = HeroGangShim(settings, is_tagger=False, precision=precision)
    return _over(tok2vec, shim, dropout, None)


def build_transformer_model(
    name: str,
    get_spans: Callable[[list[Doc]], list[list[Span]]],
    tokenizer_config: dict[str, Any] = {},
    transformer_config: dict[str, Any] = {},
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = {},
    precision: str = "auto",
    trained_layers: int | None = None,
) -> Model[list[Doc], FullTransformerBatch]:
    """Build the Hero: ``spacy-transformers.TransformerModel.v3`` with exact alignment.

    name: a model on the Hugging Face Hub, or a local folder.
    get_spans: divides Docs into spans, which may overlap; spans that are too long are split.
    tokenizer_config, transformer_config: settings for the tokenizer and the configuration.
    mixed_precision, grad_scaler_config: as in spacy-transformers, for training on a GPU.
    precision: "float32", "bfloat16", or "auto", which is bfloat16 if the hardware has instructions
        for it. Weights and their updates are float32.
    trained_layers: the number of last layers to train; None is the whole Hero. The layers below
        then read each text once in a training.
    """
    return Hero(
        name,
        get_spans,
        tokenizer_config=tokenizer_config,
        transformer_config=transformer_config,
        mixed_precision=mixed_precision,
        grad_scaler_config=grad_scaler_config,
        precision=precision,
        trained_layers=trained_layers,
    )


def build_frozen_transformer(
    name: str,
    get_spans: Callable[[list[Doc]], list[list[Span]]],
    tokenizer_config: dict[str, Any] = {},
    transformer_config: dict[str, Any] = {},
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = {},
    precision: str = "auto",
    layers: Any = "all",  # its own check says more than pydantic's of a union
    pooling: str = "first",
    keep: float = 8.0,
    kept_in: str | None = None,
    trained_layers: None = None,
) -> Model[list[Doc], FullTransformerBatch]:
    """Build a Hero that is never trained. It reads each text once in a training.

    Each token has one vector per layer. Components that don't support layers read the highest.

    layers: the layers to return, "all", "last", or numbers such as [0, 6, 12]. Layer 0 is the
        embeddings; negative numbers count from the last.
    pooling: "first" or "mean" of a token's word pieces.
    keep: maximum gigabytes of vectors to keep in training, with 16 bits per number.
    kept_in: a folder for the vectors, which other trainings over the same Hero can use; None is
        memory.
    trained_layers: None. It is accepted so that configs for other Heroes work too.
    Other arguments as in ``build_transformer_model``. Raises ValueError for trained_layers, and for
    other outputs in transformer_config.
    """
    if trained_layers is not None:
        raise ValueError(
            f"trained_layers: spacy-hgn.FrozenTransformer.v1 trains none, got {trained_layers!r}."
            " Choose spacy-hgn.TransformerModel.v1, or trained_layers = null."
        )
    for output in ("output_attentions", "output_hidden_states"):
        if transformer_config.get(output):
            raise ValueError(
                f"transformer_config: a spacy-hgn.FrozenTransformer.v1 only returns vectors "
                f"of tokens, got {output} = {transformer_config[output]!r}. Choose "
                "spacy-hgn.TransformerModel.v1, or, for hidden states, layers."
            )
    return FrozenHero(
        name,
        get_spans,
        layers=layers,
        pooling=pooling,
        keep=keep,
        kept_in=kept_in,
        tokenizer_config=tokenizer_config,
        transformer_config=transformer_config,
        mixed_precision=mixed_precision,
        grad_scaler_config=grad_scaler_config,
        precision=precision,
    )


def build_tok2vec_transformer(
    name: str,
    get_spans: Callable[[list[Doc]], list[list[Span]]],
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
    tokenizer_config: dict[str, Any] = {},
    transformer_config: dict[str, Any] = {},
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = {},
    precision: str = "auto",
    trained_layers: int | None = None,
) -> Tok2Vec:
    """Build the Hero inside a component, not shared with others.

    ``nlp.replace_listeners`` replaces a listener by this. Arguments as in
    ``build_transformer_model``. pooling, grad_factor: as in the listener.
    """
    hero = build_transformer_model(
        name,
        get_spans,
        tokenizer_config,
        transformer_config,
        mixed_precision,
        grad_scaler_config,
        precision,
        trained_layers,
    )
    # Nested like the listener, so that the weights of one fit the other.
    return chain(chain(hero, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def build_tok2vec_frozen_transformer(
    hero: Model[list[Doc], FullTransformerBatch],
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
) -> Tok2Vec:
    """Build a frozen Hero inside a component, not shared with others.

    hero: a spacy-hgn.FrozenTransformer.v1. pooling, grad_factor: as in the listener that it
    replaces.
    """
    return chain(chain(hero, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def _over(tok2vec: Tok2Vec, shim: HeroGangShim, dropout: float, nO: int | None) -> Tok2Vec:
    """The flat layer over the Hero, whose output is split into one array per Doc."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout: expected a rate of at least 0 and below 1, got {dropout}.")
    flat = flat_hero_gang(tok2vec, shim, dropout, nO)
    model: Tok2Vec = chain(flat, ragged2list())
    model.set_ref("flat", flat)
    model.set_ref("tok2vec", tok2vec)
    model.attrs["windows"] = shim.cfg["windows"]
    return model
