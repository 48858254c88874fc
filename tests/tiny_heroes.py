"""Tiny, randomly initialized checkpoints in local folders, as Heroes for tests.

Each builder writes config, weights and tokenizer into a folder that AutoModel and
AutoTokenizer load, and returns the folder. The same call writes the same files: vocabularies
are cut from a text by rule, as the trainers for WordPiece and Unigram break ties by chance.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoModel,
    BertConfig,
    BertTokenizerFast,
    DebertaV2Config,
    DebertaV2TokenizerFast,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaTokenizerFast,
    T5Config,
    XLNetConfig,
    XLNetTokenizerFast,
)

WIDTH = 32
MAX_PIECES = 64
"""The longest sequence that the Heroes hold, XLNet apart, which states no limit."""

TEXT = """\
Apple hired Tim Cook from Compaq in 1998 , and he doesn't regret it .
The European Central Bank moved to Frankfurt am Main ; "a good place" , it said .
Mr. O'Neill lives in New York City , he'd rather live in São Paulo or Zürich .
I like London and Berlin . We don't like rain , it's wet and they aren't happy .
The patients with type-2 diabetes were given metformin (500 mg) twice a day .
Visit https://example.com/news?id=7 and follow @jane_doe on #socialmedia !
Deliveroo , a U.K. start-up , was sold for $1.5 billion ; nobody knows why .
0 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w x y z
A B C D E F G H I J K L M N O P Q R S T U V W X Y Z - _ ' " ? ! : / % & +
def indented(like    code):
        return     it
        return     it
""".splitlines()


def build_bert(folder: Path, lowercase: bool = True) -> Path:
    """BERT with WordPiece; blanks are no part of a piece."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    heads, tails, letters = _cut_words(str.lower if lowercase else str)
    inner = ["##" + part for part in [*letters, *tails]]
    vocab = {piece: i for i, piece in enumerate([*special, *letters, *heads, *inner])}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    _add_borders(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        intermediate_size=64,
        max_position_embeddings=MAX_PIECES,
        pad_token_id=0,
        **_size(),
    )
    fast = BertTokenizerFast(
        tokenizer_object=tokenizer, do_lower_case=lowercase, model_max_length=MAX_PIECES
    )
    return _save(folder, fast, config)


def build_bert_cased(folder: Path) -> Path:
    """BERT that tells upper and lower case apart."""
    return build_bert(folder, lowercase=False)


def build_roberta(folder: Path) -> Path:
    """RoBERTa with byte-level BPE; its positions begin at 2, behind the padding's."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=450,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=("</s>", 2), cls=("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        intermediate_size=64,
        max_position_embeddings=MAX_PIECES + 2,
        type_vocab_size=1,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        **_size(),
    )
    fast = RobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_PIECES)
    return _save(folder, fast, config)


def build_xlnet(folder: Path) -> Path:
    """XLNet with a Unigram of ▁words; pads on the left, and states no limit anywhere."""
    special = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
    tokenizer = _make_unigram(
        special,
        normalizers.Sequence(
            [
                normalizers.Replace("``", '"'),
                normalizers.Replace("''", '"'),
                normalizers.NFKC(),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        ),
    )
    _add_borders(tokenizer, "$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2")
    config = XLNetConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=WIDTH,
        n_layer=2,
        n_head=2,
        d_inner=64,
        pad_token_id=5,
    )
    return _save(folder, XLNetTokenizerFast(tokenizer_object=tokenizer), config)


def build_deberta(folder: Path) -> Path:
    """DeBERTa-v3 with a Unigram of ▁words and relative positions."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer = _make_unigram(special, normalizer)
    _add_borders(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    config = DebertaV2Config(
        vocab_size=tokenizer.get_vocab_size(),
        intermediate_size=64,
        max_position_embeddings=MAX_PIECES,
        type_vocab_size=0,
        relative_attention=True,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        position_buckets=16,
        pad_token_id=0,
        **_size(),
    )
    fast = DebertaV2TokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_PIECES)
    return _save(folder, fast, config)


def build_t5(folder: Path) -> Path:
    """An encoder-decoder, which no Hero is."""
    tokenizer = _make_unigram(["<pad>", "</s>", "<unk>"], normalizers.NFKC())
    config = T5Config(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=WIDTH,
        d_kv=16,
        d_ff=64,
        num_layers=1,
        num_heads=2,
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    return _save(folder, fast, config)


def keep_tokenizer_json_alone(folder: Path) -> Path:
    """Leave config.json, the weights and tokenizer.json, as many published folders do."""
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors", "tokenizer.json"):
            path.unlink()
    return folder


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "bert": build_bert,
    "bert-cased": build_bert_cased,
    "roberta": build_roberta,
    "xlnet": build_xlnet,
    "deberta": build_deberta,
}


def _size() -> dict[str, int]:
    return {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}


def _cut_words(change: Callable[[str], str]) -> tuple[list[str], list[str], list[str]]:
    """The words of the text cut behind their third letter: heads, tails, and all letters."""
    words = {change(word) for line in TEXT for word in line.split()}
    letters = sorted({letter for word in words for letter in word})
    heads = sorted({word[:3] for word in words} - set(letters))
    tails = sorted({word[3:] for word in words if len(word) > 4})
    return heads, tails, letters


def _make_unigram(special: list[str], normalizer: normalizers.Normalizer) -> Tokenizer:
    """A tokenizer whose pieces hold the blank before them, as ▁."""
    heads, tails, letters = _cut_words(str)
    pieces = ["▁", *letters, *("▁" + part for part in [*letters, *heads]), *tails]
    scores = [(piece, 0.0) for piece in special] + [(piece, -1.0) for piece in pieces]
    unk = next(i for i, piece in enumerate(special) if "unk" in piece.lower())
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=unk, byte_fallback=False))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return tokenizer


def _add_borders(tokenizer: Tokenizer, single: str, pair: str) -> None:
    """Put the special tokens that the templates name around a text."""
    names = {part.split(":")[0] for part in single.split() if not part.startswith("$")}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in names],
    )


def _save(folder: Path, tokenizer: PreTrainedTokenizerFast, config: PretrainedConfig) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
    with torch.no_grad():
        for weights in model.parameters():  # as random as trained ones, not near to zero
            if weights.dim() > 1:
                weights.mul_(10)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
