"""Strategies for texts and Docs that are hard on tokenizers and on whoever counts tokens."""

from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

WORDS = ["Tim", "Cook", "runs", "Apple", "New", "York", ".", ",", "'s", "$2.7", "U.K.", "don't"]
PIECES = [
    *WORDS,
    *[" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2028", "\u3000", "\x85"],  # blanks
    *["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f"],  # no width
    *["\x00", "\x07", "\x1b[31m", "\x7f", "\x9b", "\ufffe", "\uffff", "\U0010ffff"],  # controls
    *["שלום", "مرحبا بالعالم", "\u202eabc\u202c", "\u2067x\u2069", "\u200f"],  # right to left
    *["e\u0301\u0323", "\u0301", "Z̸̡͎͒a̴̳͠", "ﬁ", "İ", "ß", "\u1100\u1161"],  # changed by NFKC, case
    *["日本語", "ไทย", "हिन्दी", "👩‍👩‍👧‍👦", "🇩🇪", "\U0001d4b3", "\ue000"],
    *["[CLS]", "[MASK]", "<s>", "</s>", "<pad>", "▁", "##a", "Ġ"],  # that tokenizers own
    *["https://a.b/c?d=e#f", "a" * 200, "-" * 70, "1" * 90],
]

texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=25).flatmap(
    lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)])
)


@st.composite
def docs(draw: st.DrawFn, vocab: Vocab) -> Doc:
    """Docs of any words and spaces, some with sentence starts, entities and blocked tokens."""
    word = st.one_of(st.sampled_from(PIECES), st.text(min_size=1, max_size=5))
    words = draw(st.lists(word, max_size=25))
    any_flags = st.lists(st.booleans(), min_size=len(words), max_size=len(words))
    starts = draw(st.one_of(st.none(), any_flags))
    doc = Doc(vocab, words=words, spaces=draw(any_flags), sent_starts=starts)
    if len(doc) > 2 and draw(st.booleans()):
        doc.set_ents([Span(doc, 0, 1, "KNOWN")], blocked=[doc[1:2]])
    return doc


@st.composite
def merges(draw: st.DrawFn, length: int) -> list[tuple[int, int]]:
    """Spans of two and more tokens to merge; none overlaps another."""
    cuts = draw(st.lists(st.integers(0, length), unique=True, max_size=8).map(sorted))
    return [(a, b) for a, b in zip(cuts[::2], cuts[1::2]) if b - a > 1]
