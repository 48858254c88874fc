"""``spacy hgn debug data``: each thing that may be wrong is found, by its name and level."""

import json

import pytest
import spacy
from component.helpers import CNN, make_hero_nlp, make_nlp, transformer_config
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from spacy.util import registry
from tiny_heroes import MAX_PIECES
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)

pytestmark = pytest.mark.slow

VOCAB = spacy.blank("xx").vocab
PLACES = [f"Place{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]


def make_doc(words, entities=(), negative=(), **settings):
    """A reference Doc. entities, negative: start, end and label."""
    doc = Doc(VOCAB, words=words, **settings)
    doc.set_ents([Span(doc, *entity) for entity in entities])
    doc.spans["wrong"] = [Span(doc, *span) for span in negative]
    return doc


def sound(verb, n=120):
    """Docs that nothing is wrong with."""
    return [
        make_doc(["They", verb, PLACES[i % 26], str(i), "."], [(2, 3, "GPE")]) for i in range(n)
    ]


@pytest.fixture
def debug(tmp_path):
    """Run the command over parts of Docs: exit status, output as one line, what it wrote."""

    def run(train=None, dev=None, options=(), nlp=None, test=None):
        nlp = make_nlp(incorrect_spans_key="wrong") if nlp is None else nlp
        nlp.config.to_disk(tmp_path / "hgn.cfg")
        parts = {"train": sound("left") if train is None else train}
        parts["dev"] = sound("like") if dev is None else dev
        if test is not None:
            parts["test"] = test
        for name, docs in parts.items():
            DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / f"{name}.spacy")
        flags = {"train": "--paths.train", "dev": "--paths.dev", "test": "--test"}
        given = [word for name in parts for word in (flags[name], tmp_path / f"{name}.spacy")]
        report = tmp_path / "report.json"
        command = ["hgn", "debug", "data", tmp_path / "hgn.cfg", *given, "-o", report]
        result = CliRunner().invoke(app, list(map(str, [*command, *options])))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        written = json.loads(report.read_text("utf8")) if report.exists() else None
        return result.exit_code, " ".join(result.output.split()), written

    return run


def messages(report, level):
    return [finding["message"] for finding in report["findings"] if finding["level"] == level]


def test_sound_corpora(debug):
    code, output, report = debug()
    assert (code, report["findings"]) == (0, [])
    assert "All entities can be learnt" in output
    assert "Errors: 0, warnings: 0" in output
    assert report["parts"]["train"]["counts"]["entities"] == 120
    assert report["parts"]["dev"]["texts"] == 120
    assert report["hero"] is report["kept"] is None  # over a CNN no text is too long
    assert "room for the vectors" not in output


def test_rare_labels_are_warned_of(debug):
    rare = [make_doc(["Ada", "sang", str(i)], [(0, 1, "PER")]) for i in range(50)]
    code, output, report = debug(sound("left") + rare, sound("like") + rare)
    assert code == 0
    (finding,) = [finding for finding in report["findings"] if finding["check"] == "labels"]
    assert finding["message"] == "train has no more than 50 entities of 1 labels"
    assert finding["examples"] == ["PER: 50"]
    assert "PER: 50" in output


def test_labels_that_a_part_lacks_are_warned_of(debug):
    more = [make_doc(["Ada", "sang", str(i)], [(0, 1, "PER")]) for i in range(60)]
    code, _, report = debug(train=sound("left") + more)
    assert code == 0
    assert messages(report, "warning") == ["dev lacks labels that train has"]
    assert report["findings"][0]["examples"] == ["PER"]


def test_labels_that_tags_cannot_carry_are_errors(debug):
    code, output, _ = debug(train=[*sound("left"), make_doc(["Ada"], [(0, 1, " PER")])])
    assert code == 1
    assert "Tags can't carry the label ' PER'" in output


WHITE_SPACE = make_doc(["Oslo", "\n", "is", "cold"], [(0, 2, "GPE")])
MISALIGNED = make_doc(["Os", "lo", "is", "cold"], [(0, 1, "GPE")], spaces=[False, True, True, True])


@pytest.mark.parametrize(
    ("doc", "reason", "text"),
    [
        (WHITE_SPACE, "begins or ends in white space", "'Oslo \\n' (GPE, characters 0 to 6)"),
        (MISALIGNED, "doesn't match the tokens", "'Os' (GPE, characters 0 to 2)"),
    ],
)
@pytest.mark.parametrize("part", ["train", "dev"])
def test_entities_that_cannot_be_learnt_are_warned_of(doc, reason, text, part, debug):
    code, output, report = debug(**{part: [*sound("see"), doc]})
    assert code == 0
    (finding,) = report["findings"]
    assert (finding["level"], finding["check"]) == ("warning", "entities")
    assert finding["message"].startswith(f"{part}: 1 of 121 entities can't be learnt")
    assert finding["message"].endswith(f"each {reason}")
    assert finding["examples"] == [f"{text} {reason}"]
    assert text in output
    assert len(report["parts"][part]["unlearnable"]) == 1


@pytest.mark.parametrize("doc", [WHITE_SPACE, MISALIGNED])
def test_a_tenth_of_the_entities_is_an_error(doc, debug):
    code, _, report = debug(train=sound("see") + [doc] * 14)  # 14 of 134 are more than a tenth
    assert code == 1
    assert [message[:31] for message in messages(report, "error")] == [
        "train: 14 of 134 entities can't"
    ]


def test_entities_across_the_start_of_a_sentence_are_warned_of(debug):
    torn = make_doc(["New", "York", "."], [(0, 2, "GPE")], sent_starts=[True, True, False])
    code, _, report = debug(train=[*sound("see"), torn])
    assert code == 0
    (message,) = messages(report, "warning")
    assert message.startswith("train: 1 entities cross the start of a sentence")


def test_misaligned_tokens_are_counted(debug):
    _, output, report = debug(train=[*sound("see"), MISALIGNED])
    assert report["parts"]["train"]["misaligned_tokens"] == 1
    assert report["parts"]["dev"]["misaligned_tokens"] == 0
    assert "train: 1 of the pipeline's tokens" in output


def test_labels_that_the_config_leaves_out_are_found(debug, tmp_path):
    (tmp_path / "labels.json").write_text('["PER"]')
    nlp = make_nlp()
    nlp.config["initialize"]["components"]["hgn_ner"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")}
    }
    code, output, _ = debug(nlp=nlp)
    assert code == 1
    assert "train has no entities that can be learnt" in output
    assert "has a label that the component doesn't know" in output


def test_incorrect_spans_that_do_not_fit_are_found(debug):
    wrong = make_doc(["Os", "lo"], negative=[(0, 1, "GPE")], spaces=[False, False])
    _, _, report = debug(train=[*sound("see"), wrong])
    assert messages(report, "warning") == [
        "train: 1 of 121 entities can't be learnt or predicted: each doesn't match the tokens"
    ]


@pytest.mark.parametrize("label", ["GPE", ""])
def test_incorrect_spans_that_are_entities_are_errors(label, debug):
    torn = make_doc(["Oslo", "sang"], [(0, 1, "GPE")], negative=[(0, 1, label)])
    code, output, report = debug(train=[*sound("see"), torn])
    assert code == 1
    assert messages(report, "error") == ["train: 1 texts contradict themselves"]
    assert "'Oslo sang" in output


@pytest.mark.parametrize("part", ["train", "dev", "test"])
@pytest.mark.parametrize(
    ("docs", "expected"),
    [
        ([], "has no texts"),
        ([make_doc([])], "has no texts"),
        ([make_doc(["It", "rains"])], "has no entities"),
        ([WHITE_SPACE], "has no entities that can be learnt"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*W090")
def test_parts_without_data_are_errors(part, docs, expected, debug):
    code, output, report = debug(**{part: docs})
    assert code == 1
    assert f"{part} {expected}" in messages(report, "error")
    assert "All entities can be learnt" not in output


def test_few_texts_are_warned_of(debug):
    code, _, report = debug(train=sound("left", 99))
    assert code == 0
    assert messages(report, "warning") == ["train has 99 texts; spaCy recommends 100 or more"]


def test_sentences_that_parts_share_are_warned_of(debug):
    shared = make_doc(["Oslo", "sang"], [(0, 1, "GPE")])
    otherwise = make_doc(["Oslo", "sang"], [(0, 2, "GPE")])
    code, output, report = debug(
        [*sound("left"), shared], [*sound("like"), otherwise], test=[*sound("see"), shared]
    )
    assert code == 0
    assert messages(report, "warning") == [
        "train and dev share 1 sentences, of which 1 are annotated differently",
        "train and test share 1 sentences, of which 0 are annotated differently",
        "dev and test share 1 sentences, of which 1 are annotated differently",
    ]
    assert "train: Oslo (GPE) dev: Oslo sang (GPE)" in output


@pytest.fixture
def long_doc():
    """A text with more word pieces than the tiny Hero holds, one of them a token alone."""
    return make_doc(["Oslo", *["is"] * MAX_PIECES, "x" * 90], [(0, 1, "GPE")])


def assert_finds_long_text(report, hero):
    assert messages(report, "warning") == [
        f"dev: 1 texts have more than {MAX_PIECES} word pieces, and are read in parts",
        f"dev: 1 tokens have more than {MAX_PIECES} word pieces alone: only their beginning is "
        "read",
    ]
    assert (report["hero"]["hero"], report["hero"]["limit"]) == (hero, MAX_PIECES)
    assert report["hero"]["parts"]["train"]["over_long"] == 0


def test_texts_over_the_length_of_the_hero_are_warned_of(debug, tiny_bert, long_doc):
    code, output, report = debug(dev=[*sound("like"), long_doc], nlp=make_hero_nlp(tiny_bert))
    assert code == 0
    assert_finds_long_text(report, tiny_bert)
    assert f"texts over {MAX_PIECES} word pieces 0 1" in output


def test_a_hero_inside_of_the_component_is_found(debug, tiny_bert, long_doc):
    nlp = make_hero_nlp(tiny_bert)
    nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    _, _, report = debug(dev=[*sound("like"), long_doc], nlp=nlp)
    assert_finds_long_text(report, tiny_bert)


def test_the_hero_that_the_component_listens_to_is_measured_by(debug, tiny_bert, tmp_path):
    nlp = make_hero_nlp(tiny_bert)
    other = nlp.get_pipe_config("transformer")
    nlp.add_pipe("transformer", name="other", config={"model": {**other["model"], "name": "none"}})
    code, _, report = debug(nlp=nlp)
    assert (code, report["hero"]["hero"]) == (0, tiny_bert)


def test_letters_that_the_hero_does_not_know_are_warned_of(debug, tiny_bert):
    foreign = [make_doc(["他", "去", "北京", str(i)], [(2, 3, "GPE")]) for i in range(120)]
    code, _, report = debug(dev=foreign, nlp=make_hero_nlp(tiny_bert))
    assert code == 0
    (message,) = messages(report, "warning")
    assert message.startswith("dev: ")
    assert message.endswith(f"word pieces are unknown to {tiny_bert}: does it read this language?")
    assert report["hero"]["parts"]["train"]["unknown"] == 0


def test_the_largest_step_is_that_of_the_longest_texts(debug, tiny_bert, long_doc, monkeypatch):
    nlp = make_hero_nlp(tiny_bert)
    batcher = {"@batchers": "spacy.batch_by_sequence.v1", "size": 2, "get_length": None}
    nlp.config["training"]["batcher"] = batcher
    _, output, report = debug(train=[*sound("left"), long_doc], nlp=nlp)
    alone = debug(nlp=nlp)[2]["step"]
    assert (report["step"]["texts"], alone["texts"]) == (2, 2)
    assert report["step"]["pieces"] > MAX_PIECES > alone["pieces"]
    assert report["step"]["bytes"] > alone["bytes"]
    assert "The largest step of training has 2 texts" in output
    assert "There is enough memory for the largest step" in output
    monkeypatch.setattr("spacy_hgn.corpora.hero_fit._find_memory", lambda: 1)
    code, _, report = debug(nlp=nlp)
    assert code == 0
    assert messages(report, "warning")[0].endswith(
        "fewer texts or tokens per step in training.batcher"
    )


def make_frozen_nlp(hero, **settings):
    nlp = spacy.blank("xx")
    frozen = {"@architectures": "spacy-hgn.FrozenTransformer.v1", **settings}
    model = {**transformer_config(hero)["model"], **frozen}
    nlp.add_pipe("transformer", config={"model": model})
    nlp.add_pipe("hgn_ner")
    return nlp


def test_what_is_kept_of_a_frozen_hero_is_counted(debug, tiny_bert):
    code, output, report = debug(nlp=make_frozen_nlp(tiny_bert))
    assert (code, messages(report, "warning")) == (0, [])
    counted = {"tokens": 2 * 120 * 5, "layers": 3, "width": 32, "limit": 8.0, "folder": None}
    assert report["kept"] == counted
    assert "keeps 0.00 GB of token vectors in memory (1,200 tokens x 3 layers x 32" in output
    assert "There is enough room for the vectors of all texts" in output


def test_more_vectors_than_are_kept_are_warned_of(debug, tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, keep=1e-5, layers=[0, -1])
    code, _, report = debug(nlp=nlp)
    assert code == 0
    (message,) = messages(report, "warning")
    assert "of token vectors, but keep is 1e-05: the Hero reads the rest again" in message
    assert report["kept"]["layers"] == 2


def test_layers_that_a_frozen_hero_has_not_are_an_error(debug, tiny_bert):
    code, output, report = debug(nlp=make_frozen_nlp(tiny_bert, layers=[0, 9]))
    assert (code, report["kept"]) == (1, None)
    assert "has layers 0, the embeddings, to 2" in output


def test_a_hero_that_is_not_there_is_an_error_beside_others(debug, tiny_bert, tmp_path):
    (tmp_path / "empty").mkdir()
    nlp = make_hero_nlp(str(tiny_bert))
    nlp.config["components"]["transformer"]["model"]["name"] = str(tmp_path / "empty")
    code, output, _ = debug(dev=[WHITE_SPACE], nlp=nlp)
    assert code == 1
    assert "Can't load the Hero" in output
    assert "dev has no entities that can be learnt" in output


def test_any_reader_is_read(debug):
    @registry.readers("tests.sound.v1")
    def make_reader(verb: str):
        def read(nlp):
            for doc in sound(verb):
                yield spacy.training.Example(nlp.make_doc(doc.text), doc)

        return read

    nlp = make_nlp()
    nlp.config["corpora"]["ours"] = {"@readers": "tests.sound.v1", "verb": "know"}
    nlp.config["training"]["train_corpus"] = "corpora.ours"
    code, _, report = debug(train=[], nlp=nlp)
    assert (code, report["parts"]["train"]["texts"]) == (0, 120)


def test_warnings_can_be_ignored_and_examples_left_out(debug):
    train = [*sound("see"), WHITE_SPACE, MISALIGNED]
    code, output, report = debug(train, options=["--ignore-warnings"])
    assert code == 0
    assert "can't be learnt" not in output
    assert len(report["findings"]) == 2
    assert "(GPE, characters" not in debug(train, options=["--show", "0"])[1]


def test_only_some_examples_are_shown(debug):
    torn = [make_doc(["Oslo", "sang", str(i)], [(0, 1, "GPE")], [(0, 1, "GPE")]) for i in range(5)]
    _, output, report = debug(train=[*sound("see"), *torn], options=["--show", "2"])
    assert output.count("'Oslo sang") == 2
    assert "and 3 more" in output
    assert len(report["findings"][0]["examples"]) == 5


def test_a_pipeline_without_the_component_is_refused(debug):
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner")
    code, output, report = debug(nlp=nlp)
    assert (code, report) == (1, None)
    assert "There is no hgn_ner called 'hgn_ner' in the pipeline ['ner']" in output
    assert "It has none." in output


def test_another_component_can_be_named(debug):
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner", name="names", config={"model": {"tok2vec": CNN}})
    assert debug(nlp=nlp)[0] == 1
    assert debug(nlp=nlp, options=["--component", "names"])[0] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--corpora.train.path=null"], "Corpus path can't be None"),
        (["--training.train_corpus", "corpora.nowhere"], "nowhere"),
        (["--components.hgn_ner.tag_scheme", "iobes"], "expected one of bio, biluo, got 'iobes'"),
        (["--nowhere.x", "1"], "nowhere"),
    ],
)
def test_configs_that_cannot_be_used_are_refused(options, expected, debug):
    code, output, report = debug(options=options)
    assert (code, report) == (1, None)
    assert expected in output
