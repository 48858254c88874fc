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
    """Build a tagger whose tokens see the Hero and the Gang (paper, section 2).

    The model reads Docs and returns one array of tag probabilities a Doc.
    *Shape:* (tokens, nO), each row a softmax.

    tok2vec: the Hero, any layer from Docs to token vectors; usually a TransformerListener.
    windows: odd widths of the windows around a token, each once; [] is the plain
        Transformer, without Gang and fusion.
    recurrence: the unit that reads a window: lstm, gru, rnn, cnn or mlp.
    fusion: how windows and Hero become one vector: dot, add, concat or mlp.
    dropout: rate on the Hero's vectors in training, until ``nlp.update(drop=...)``, and so
        ``training.dropout`` under ``spacy train``, sets another.
    nO: the number of tags, set by the component.
    precision: of the Gang and the fusion: "float32", "bfloat16", or "auto", which is
        bfloat16 where the processor has instructions for it.
    edges: whether the Hero's special pieces directly before and behind a text, such as [CLS]
        and [SEP], are in the windows of its first and last tokens, as in the authors'
        programme. They get no tags. Only a spacy-hgn.TransformerModel.v1 has them; without
        windows they have no effect.
    feed_forward: hidden units, in widths of the Hero, of a layer with GELU that is added to the
        Hero's vectors before the windows read them; 0 is none.
    normalize: whether the Hero's vectors are normalized (LayerNorm) first.
    head_dropout: whether the rate is also applied in the feed-forward layer, and to the fused
        vectors before the classifier: for a Hero that isn't trained.
    members: heads that are trained side by side and predict by their mean probability.
    Where the Hero gives several layers, a spacy-hgn.FrozenTransformer.v1, a learnt mix of
    them comes first of all. Raises ValueError for values that are none of these.
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

    The model reads Docs and returns one array a Doc. *Shape:* (tokens, width).
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

    name: a model on the Hugging Face hub, or a local folder.
    get_spans: cuts Docs into spans, which may overlap; longer ones are cut further.
    tokenizer_config, transformer_config: settings for the tokenizer and the configuration.
    mixed_precision, grad_scaler_config: as in spacy-transformers, for training on a GPU.
    precision: "float32", "bfloat16", or "auto", which is bfloat16 where the processor has
        instructions for it; weights and their updates are float32.
    trained_layers: how many of its last layers learn; None is all of it. Those below then read
        each text once in a training.
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
    layers: str | list[int] = "all",
    pooling: str = "first",
    keep: float = 8.0,
    kept_in: str | None = None,
    trained_layers: None = None,
) -> Model[list[Doc], FullTransformerBatch]:
    """Build a Hero that is never trained. In a training it reads each text once.

    The vectors of a token are handed out as one piece. Components that know nothing of layers
    read those of the last one.

    layers: those that are handed out: "all", "last", or numbers such as [0, 6, 12]; 0 are the
        embeddings, negative numbers count from the last.
    pooling: "first" or "mean" of a token's word pieces.
    keep: gigabytes of vectors that are kept in training, 16 bits a number.
    kept_in: a folder for them, in which other trainings over the same Hero find them too; None
        is memory.
    trained_layers: None; so a config that was written for a Hero that learns does for this one.
    Other arguments as in ``build_transformer_model``. Raises ValueError for trained_layers,
    and for other outputs in transformer_config.
    """
    if trained_layers is not None:
        raise ValueError(
            f"trained_layers: a spacy-hgn.FrozenTransformer.v1 trains none, got {trained_layers!r}."
            " Choose spacy-hgn.TransformerModel.v1, or trained_layers = null."
        )
    for output in ("output_attentions", "output_hidden_states"):
        if transformer_config.get(output):
            raise ValueError(
                f"transformer_config: a spacy-hgn.FrozenTransformer.v1 hands out vectors of tokens "
                f"alone, got {output} = {transformer_config[output]!r}. Choose "
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
    """Build the Hero inside of a component, not shared with others.

    This is what ``nlp.replace_listeners`` puts in the place of a listener. Arguments as in
    ``build_transformer_model``; pooling and grad_factor as in the listener.
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
    # Nested as the listener is, so that either's weights fit the other.
    return chain(chain(hero, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def build_tok2vec_frozen_transformer(
    hero: Model[list[Doc], FullTransformerBatch],
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
) -> Tok2Vec:
    """Build a frozen Hero inside of a component, not shared with others.

    hero: a spacy-hgn.FrozenTransformer.v1. pooling, grad_factor: as in the listener that it
    stands in place of; a token is one piece.
    """
    return chain(chain(hero, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def _over(tok2vec: Tok2Vec, shim: HeroGangShim, dropout: float, nO: int | None) -> Tok2Vec:
    """One flat layer over the Hero, and its array cut into those of the Docs."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout: expected a rate from 0 up to, not including, 1; got {dropout}.")
    flat = flat_hero_gang(tok2vec, shim, dropout, nO)
    model: Tok2Vec = chain(flat, ragged2list())
    model.set_ref("flat", flat)
    model.set_ref("tok2vec", tok2vec)
    model.attrs["windows"] = shim.cfg["windows"]
    return model
