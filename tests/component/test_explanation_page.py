"""The page of ``spacy hgn explain``: whole in itself, and the text only ever data in it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy
import pytest
import spacy
from typer.testing import CliRunner

from spacy_hgn.cli import hgn_cli
from spacy_hgn.explain.explanation import ExplainedEntity, Explanation
from spacy_hgn.explain.page import render_page

from .helpers import TEXTS, make_nlp, train

SCRIPT = "</script><script>alert(1)</script>"


def make_explanation(*words: str, fusion: str | None = "mlp", label: str = "ORG") -> Explanation:
    """An explanation of words with blanks between, whose first two are an entity."""
    weights = numpy.tile(numpy.array([0.1, 0.3, 0.6]), (len(words), 1))
    probabilities = numpy.tile(numpy.array([0.2, 0.7, 0.0999, 0.0001]), (len(words), 1))
    later = 1e-6 if len(words) > 2 else None
    entity = ExplainedEntity(0, 2, label, 0.75, None, 0.125, 0.0625, later)
    return Explanation(
        words=words,
        spaces=(True,) * (len(words) - 1) + (False,),
        fusion=fusion,
        sources=("window 3", "window 5", "hero"),
        tags=("O", f"B-{label}", f"I-{label}", "B-PERSON"),
        weights=None if fusion in ("concat", "add") else weights,
        shares=numpy.full(len(words), 0.25),
        probabilities=probabilities,
        entities=(entity,),
    )


class Elements(HTMLParser):
    """All elements of a page, each with its attributes and the text in it."""

    VOID = ("meta", "input", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))
        if tag not in self.VOID:
            self.open.append(self.found[-1])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, texts in self.open:
            texts.append(data)

    def text_of(self, **wanted: str) -> list[str]:
        """The texts of the elements with these attributes."""
        return ["".join(t) for _, has, t in self.found if wanted.items() <= has.items()]


def test_shows_text_entities_and_tokens():
    elements = Elements(render_page(make_explanation("Acme", "Corp", "\n", "sells", "."), "Page"))
    assert elements.text_of(id="tokens") == ["Acme Corp \n sells ."]
    (shown,) = elements.text_of(**{"class": "entity"})
    assert shown == "Acme CorpORG 0.750"
    titles = [has["title"] for _, has, _ in elements.found if "data-token" in has]
    assert titles == ["B-ORG 0.70"] * 4


def test_shows_doubt_first_and_then_what_windows_and_hero_say():
    elements = Elements(render_page(make_explanation("Acme", "Corp"), "Page"))
    names = [text.strip() for tag, _, texts in elements.found if tag == "label" for text in texts]
    assert names[:5] == ["doubt", "all windows", "window 3", "window 5", "hero"]
    assert [has["value"] for _, has, _ in elements.found if "checked" in has] == ["0"]
    (style,) = {has["style"] for _, has, _ in elements.found if "data-token" in has}
    assert style == "--w0:0.300;--w1:0.250;--w2:0.100;--w3:0.300;--w4:0.600"


def test_shows_moved_boundaries_and_where_there_are_none():
    cells = Elements(render_page(make_explanation("Acme", "Corp", "sells"), "Page"))
    kind, score, *moved = ["".join(texts) for tag, _, texts in cells.found if tag == "td"]
    assert (kind, score) == ("ORG", "0.750")
    assert moved == ["\N{EN DASH}", "0.125Corp", "0.062Acme", "< 0.001Acme Corp sells"]


def test_a_notebook_shows_the_page_in_a_frame():
    explanation = make_explanation(SCRIPT, "Corp")
    ((tag, frame, _),) = Elements(explanation._repr_html_()).found
    assert tag == "iframe"
    assert frame["srcdoc"] == render_page(explanation, "Explanation")


def test_without_entities_says_so():
    page = render_page(replace(make_explanation("It", "rains"), entities=()), "Page")
    assert "There are no entities." in page
    assert not Elements(page).text_of(**{"class": "entity"})


def test_a_text_without_tokens_has_a_page():
    nothing = numpy.zeros((0, 4))
    empty = replace(make_explanation("a"), words=(), spaces=(), entities=())
    page = render_page(replace(empty, weights=nothing[:, :3], probabilities=nothing), "Page")
    assert Elements(page).text_of(id="tokens") == [""]


@pytest.mark.parametrize(
    ("fusion", "shown"),
    [
        ("mlp", ["0", "1", "2", "3", "4", "all"]),
        ("dot", ["0", "1", "2", "3", "all"]),
        ("concat", ["0", "1"]),
        ("add", ["0", "1"]),
        (None, ["0"]),
    ],
)
def test_the_heat_map_has_the_members_that_are_weighed(fusion, shown):
    explanation = make_explanation("Acme", "Corp", fusion=fusion)
    page = render_page(explanation, "Page")
    inputs = [has["value"] for tag, has, _ in Elements(page).found if tag == "input"]
    assert inputs == shown
    assert explanation.note in page.replace("&#39;", "'")


def test_needs_nothing_from_elsewhere(cnn_nlp):
    page = render_page(cnn_nlp.get_pipe("hgn_ner").explain(cnn_nlp(TEXTS[0])), "Page")
    assert "://" not in page
    assert not re.search(r"\b(src|href|action)\s*=|url\(|@import|<link|<base|<iframe", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy[1].startswith("default-src 'none'; ")
    assert "script-src 'sha256-" in policy[1]


def test_text_labels_and_title_are_data():
    """Nothing in them becomes an element, an attribute or the end of one."""
    hostile = [SCRIPT, '"onclick="alert(1)"', "<img src=x onerror=alert(1)>", "&lt;", "'{}$title"]
    explanation = make_explanation(*hostile, label=SCRIPT)
    page = render_page(explanation, SCRIPT)
    elements = Elements(page)
    plain = Elements(render_page(make_explanation("a", "b", "c", "d", "e"), "Page"))
    assert [tag for tag, _, _ in elements.found] == [tag for tag, _, _ in plain.found]
    assert [has.keys() for _, has, _ in elements.found] == [h.keys() for _, h, _ in plain.found]
    assert elements.text_of(id="tokens") == [" ".join(hostile)]
    assert SCRIPT in elements.text_of(**{"class": "entity"})[0]
    (data,) = elements.text_of(id="data")
    assert json.loads(data)["tags"] == ["O", f"B-{SCRIPT}", f"I-{SCRIPT}", "B-PERSON"]


# The command


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(hgn_cli, ["explain", *map(str, words)])
    return done.exit_code, done.output


def test_the_command_writes_page_and_json(cnn_folder, tmp_path):
    page, report = tmp_path / "a" / "page.html", tmp_path / "b" / "report.json"
    status, output = run(cnn_folder, TEXTS[0], "--output", page, "--json", report)
    assert status == 0, output
    nlp = spacy.load(cnn_folder)
    expected = nlp.get_pipe("hgn_ner").explain(nlp(TEXTS[0]))
    assert Elements(page.read_text(encoding="utf8")).text_of(id="tokens") == [TEXTS[0]]
    assert json.loads(report.read_text(encoding="utf8")) == expected.to_dict()


def test_the_page_shows_the_mix_of_layers():
    explanation = replace(make_explanation("Tim", "Cook"), layers=((0, 0.125), (6, 0.875)))
    (table,) = Elements(render_page(explanation, "x")).text_of(**{"class": "layers"})
    assert table == "00.12560.875"
    assert "Layers of the Hero" not in render_page(make_explanation("Tim", "Cook"), "x")


def test_the_command_says_when_a_fusion_has_no_weights(tmp_path):
    nlp = make_nlp({"fusion": "add"})
    train(nlp, steps=1)
    nlp.to_disk(tmp_path / "pipeline")
    status, output = run(tmp_path / "pipeline", TEXTS[0], "-o", tmp_path / "page.html")
    assert status == 0, output
    assert "The fusion add sums windows and Hero" in " ".join(output.split())


def test_the_command_reads_a_file(cnn_folder, tmp_path):
    file, page = tmp_path / "text.txt", tmp_path / "page.html"
    file.write_text("Tim de Zoë Zürich <b>", encoding="utf-8-sig")
    status, output = run(cnn_folder, file, "-o", page)
    assert status == 0, output
    shown = Elements(page.read_text(encoding="utf8"))
    assert shown.text_of(id="tokens") == ["Tim de Zoë Zürich <b>"]


def test_the_command_sees_the_vectors_before_a_cleaner_takes_them(tiny_nlp, tmp_path):
    tiny_nlp.add_pipe("doc_cleaner", config={"attrs": {"_.trf_data": None}})
    tiny_nlp.to_disk(tmp_path / "pipeline")
    status, output = run(tmp_path / "pipeline", TEXTS[0], "-o", tmp_path / "page.html")
    assert status == 0, output
    shown = Elements((tmp_path / "page.html").read_text(encoding="utf8"))
    expected = [ent.text for ent in tiny_nlp(TEXTS[0]).ents]
    entities = shown.text_of(**{"class": "entity"})
    assert expected
    assert all(text.startswith(name) for text, name in zip(entities, expected, strict=True))


def test_the_command_refuses_what_it_cannot_explain(cnn_folder, tmp_path):
    status, output = run(cnn_folder, TEXTS[0], "--component", "other", "-o", tmp_path / "p.html")
    assert status == 1
    assert "There is no hgn_ner called 'other'" in output
    assert "--component: hgn_ner" in output
    damaged = tmp_path / "damaged.txt"
    damaged.write_bytes(b"\xff\xfe\xff")
    status, output = run(cnn_folder, damaged, "-o", tmp_path / "p.html")
    assert status == 1
    assert "utf-8" in output
    assert not (tmp_path / "p.html").exists()


def test_the_command_tells_when_a_name_is_no_file(cnn_folder, tmp_path):
    status, output = run(cnn_folder, "texts.txt", "-o", tmp_path / "page.html")
    assert status == 0
    assert "There is no file texts.txt" in output
