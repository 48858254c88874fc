"""What the scripts of frozen_peers.py that train spaCy pipelines share."""

from itertools import groupby
from operator import itemgetter
from typing import Any

import spacy
from lessons import Entity, Lesson, Predict, check_frozen
from passes import Texts
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training.loop import create_train_batches
from spacy.util import fix_random_seed, registry

from spacy_hgn.experiments.scores import get_gold
from spacy_hgn.experiments.train import BEST, evaluate, make_example, read_docs


def learn(nlp: Language, lesson: Lesson, **training: Any) -> dict[str, Any]:
    """Do what ``spacy train`` does, with an evaluation on dev at each epoch's end, on the corpus's
    own tokens. training: settings in the place of the pipeline's own."""
    config = {**nlp.config.interpolate()["training"], **training}
    settings = registry.resolve(config, schema=ConfigSchemaTraining)
    examples = [make_example(doc, nlp) for doc in read_docs([lesson.spacy("train")], nlp)]
    fix_random_seed(lesson.seed)
    nlp.initialize(lambda: examples, sgd=settings["optimizer"])
    batches = create_train_batches(nlp, lambda _: examples, settings["batcher"], lesson.epochs)
    f1: list[float] = []
    steps = 0
    for _, of_epoch in groupby(batches, key=itemgetter(0)):
        for _, batch in of_epoch:
            nlp.update(
                batch,
                drop=settings["dropout"],
                sgd=settings["optimizer"],
                exclude=settings["frozen_components"],
                annotates=settings["annotating_components"],
            )
            settings["optimizer"].step_schedules()
            steps += 1
        f1.append(evaluate(nlp, [lesson.spacy("dev")]).scores["f"])
        if f1[-1] > max(f1[:-1], default=-1):
            nlp.to_disk(lesson.folder / BEST)
    return {"F1 on dev by epoch": f1, "steps": steps}


def load(lesson: Lesson) -> Predict:
    """The pipeline that ``learn`` left, which is to have the Hero's own weights."""
    nlp = spacy.load(lesson.folder / BEST)
    shims = [shim for node in nlp.get_pipe("transformer").model.walk() for shim in node.shims]
    check_frozen(shims[0]._hfmodel.transformer, lesson.hero)

    def predict(texts: Texts, batch: int) -> list[list[Entity]]:
        docs = (Doc(nlp.vocab, words=words) for words in texts)
        return [get_gold(doc) for doc in nlp.pipe(docs, batch_size=batch)]

    return predict
