"""A little of each format."""

import json

TSV = "Ada\tB-PER\nsaw\tO\nNew\tB-LOC\nYork\tI-LOC\n\nHi\tO\n"
CONLL2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
German JJ B-NP I-MISC

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER

-DOCSTART- -X- -X- O

LONDON NNP B-NP I-LOC
1996-08-30 CD I-NP O
"""

# The columns of a published file, about sentences of our own.
SAMPLE = """\
#begin document (bn/own/00/own_0001); part 000
bn/own/00/own_0001 0  0   Maria  NNP (TOP(S(NP*     -  - - Ann_Lee (PERSON* (ARG0*    * (0
bn/own/00/own_0001 0  1 Stuarda  NNP          *     -  - - Ann_Lee        *      *    * -
bn/own/00/own_0001 0  2   Lopez  NNP         *)     -  - - Ann_Lee       *)     *)    * 0)
bn/own/00/own_0001 0  3     saw  VBD       (VP*   see 01 1 Ann_Lee        *   (V*)    * -
bn/own/00/own_0001 0  4    Rome  NNP   (NP(NP*)     -  - - Ann_Lee    (GPE) (ARG1*    * (1)
bn/own/00/own_0001 0  5       ,    ,          *     -  - - Ann_Lee        *      *    * -
bn/own/00/own_0001 0  6      uh   UH    (INTJ*)     -  - - Ann_Lee        *      *    * -
bn/own/00/own_0001 0  7    Oslo  NNP    (NP*)))     -  - - Ann_Lee    (GPE)     *)    * -
bn/own/00/own_0001 0  8       .    .        *))     -  - - Ann_Lee        *      *    * -

bn/own/00/own_0001 0  0     %pw  %PW (TOP(FRAG*     -  - -     Bob        *      -
bn/own/00/own_0001 0  1   today   NN        *))     -  - -     Bob   (DATE)      -

#end document
#begin document (bn/own/00/own_0001); part 001
bn/own/00/own_0001 1  0  Thanks  NNS (TOP(NP*)) thank  - -       -        *      -

#end document
"""
OTHER = """\
#begin document (nw/own/01/own_0102); part 000
nw/own/01/own_0102 0  0    Acme  NNP   (TOP(NP*     -  - -       -    (ORG*      -
nw/own/01/own_0102 0  1    Corp  NNP        *))     -  - -       -       *)      -

#end document
"""

TEXT = "Ada Lovelace lived in London."
SPANS = [{"start": 0, "end": 12, "label": "PERSON"}, {"start": 22, "end": 28, "label": "GPE"}]


def to_lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
