"""What the component ``hgn_ner`` is where a config doesn't say otherwise."""

from thinc.api import Config

DEFAULT_CONFIG = Config().from_str(
    """
[hgn_ner]
tag_scheme = "bio"
decoder = "viterbi"
threshold = 0.0
scores = true
overlap = false
incorrect_spans_key = null
loss_factor = 1.0

[hgn_ner.scorer]
@scorers = "spacy.ner_scorer.v1"

[hgn_ner.model]
@architectures = "spacy-hgn.HeroGangTagger.v1"
windows = [5, 7, 9]
recurrence = "lstm"
fusion = "dot"
dropout = 0.1
precision = "auto"

[hgn_ner.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[hgn_ner.model.tok2vec.pooling]
@layers = "reduce_first.v1"
"""
)
