"""Strategies for files: of any bytes, of a format's parts in any order, and well-formed ones after
some damage."""

import json
from typing import Any

from hypothesis import strategies as st

from .hard_texts import PIECES

CELLS = [
    *["O", "-", "B-PER", "I-PER", "E-PER", "S-PER", "L-LOC", "U-LOC", "B-", "B-a-b", "I-\u200b"],
    *["*", "(PER*", "*)", "(PER)", "((PER*", "(*)", "()", "-DOCSTART-", "[WORD]", "#end document"],
]
SNIPPETS = [
    *[b"\n", b"\r\n", b"\r", b"\t", b" ", b"\n\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3"],
    *[b"#begin document (a); part 000\n", b"#end document\n", b"-DOCSTART- O\n", b"(PER*", b"*)"],
    *[b'{"text": ', b'"spans": [', b"]}", b"[[[[", b'"\\ud800"', b"-1", b"1e999", b"null", b"NaN"],
]


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """The data after some damage: bytes changed, lost, repeated, put in; the end cut off."""
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        end = min(len(data), place + draw(st.integers(0, 40)))
        new = draw(st.one_of(st.sampled_from(SNIPPETS), st.binary(max_size=3)))
        damage = draw(st.sampled_from(["change", "lose", "repeat", "put in", "cut"]))
        data = {
            "change": data[:place] + new + data[place + len(new) :],
            "lose": data[:place] + data[end:],
            "repeat": data[:end] + data[place:],
            "put in": data[:place] + new + data[place:],
            "cut": data[:place],
        }[damage]
    return data


@st.composite
def damaged_bit_or_end(draw: st.DrawFn, data: bytes) -> bytes:
    """The data with one bit flipped, or cut short."""
    place = draw(st.integers(0, len(data) - 1))
    if draw(st.booleans()):
        return data[:place]
    return data[:place] + bytes([data[place] ^ (1 << draw(st.integers(0, 7)))]) + data[place + 1 :]


def _join(lines: list[list[str]], delimiter: str, end: str) -> bytes:
    return end.join(delimiter.join(cells) for cells in lines).encode()


any_cell = st.one_of(st.sampled_from(CELLS), st.sampled_from(PIECES), st.text(max_size=3))
columns = st.builds(
    _join,
    st.lists(
        st.one_of(
            st.sampled_from([[], ["-DOCSTART-", "O"], ["#begin document (a); part 000"]]),
            st.tuples(any_cell, st.sampled_from(CELLS)).map(list),
            st.lists(any_cell, max_size=14),
        ),
        max_size=12,
    ),
    st.sampled_from(["\t", " ", "  "]),
    st.sampled_from(["\n", "\r\n"]),
)
"""Files of lines that have cells."""

_scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.floats(), st.text(max_size=5)
)
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
_place = st.integers(-2, 30)
_label = st.one_of(st.sampled_from(["PER", "LOC", "", " ", "a\tb", "\ud800"]), _scalars)
_spans = st.one_of(
    st.fixed_dictionaries({"start": _place, "end": _place, "label": _label}),
    st.tuples(_place, _place, _label).map(list),
    _values,
)
_records = st.fixed_dictionaries(
    {"text": st.one_of(st.sampled_from([*PIECES, "Ada Lovelace lived in London."]), _values)},
    optional={"spans": st.lists(_spans, max_size=4), "entities": _values, "meta": _values},
)
jsonl = st.lists(st.one_of(_records, _values), max_size=5).map(
    lambda records: "".join(json.dumps(record) + "\n" for record in records).encode()
)
"""Files of JSON values, most of them texts with spans."""
