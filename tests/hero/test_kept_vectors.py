"""Kept vectors: in memory and in files, with other processes, without room, and damaged."""

import copy
import errno
import multiprocessing
import os
import pickle
import signal
import sys
from pathlib import Path

import pytest
import torch

from spacy_hgn.hero.frozen import kept_vectors
from spacy_hgn.hero.frozen.kept_vectors import GIGABYTE, KeptFile, KeptVectors, write_file

TOKENS, LAYERS, WIDTH = 4, 3, 8
SIZE = TOKENS * LAYERS * WIDTH * 2
"""Bytes of a text's vectors."""


def tensor(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(TOKENS, LAYERS, WIDTH, generator=generator).bfloat16()


def fill(kept: KeptVectors, numbers: range) -> KeptVectors:
    for number in numbers:
        kept.put(f"text {number}", tensor(number))
    return kept


def assert_has(kept: KeptVectors, numbers: range) -> None:
    for number in numbers:
        assert torch.equal(kept.get(f"text {number}"), tensor(number))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


@pytest.fixture(params=["memory", "folder"])
def place(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "kept"


# What is kept


def test_what_is_put_is_there(place):
    kept = fill(KeptVectors(1.0, place), range(3))
    assert_has(kept, range(3))
    assert len(kept) == 3
    assert kept.get("another text") is None
    kept.write()
    assert_has(kept, range(3))
    assert len(kept) == 3


def test_a_key_is_kept_once(place):
    kept = fill(KeptVectors(1.0, place), range(2))
    kept.put("text 0", tensor(9))
    kept.write()
    kept.put("text 0", tensor(9))
    assert_has(kept, range(2))
    assert len(kept) == 2


def test_the_next_process_finds_what_was_written(tmp_path):
    fill(KeptVectors(1.0, tmp_path), range(3)).write()
    again = fill(KeptVectors(1.0, tmp_path), range(2, 5))
    again.write()
    assert len(files(tmp_path)) == 2
    assert_has(KeptVectors(1.0, tmp_path), range(5))


def test_what_is_not_written_is_not_found(tmp_path):
    fill(KeptVectors(1.0, tmp_path), range(3))
    assert len(KeptVectors(1.0, tmp_path)) == 0


def test_much_is_written_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_vectors, "FILE_SIZE", 2 * SIZE)
    kept = fill(KeptVectors(1.0, tmp_path), range(5))
    assert len(files(tmp_path)) == 2
    assert_has(kept, range(5))
    assert_has(KeptVectors(1.0, tmp_path), range(4))


def test_nothing_to_write(place):
    kept = KeptVectors(1.0, place)
    kept.write()
    assert place is None or not files(place)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda kept: pickle.loads(pickle.dumps(kept))]
)
def test_a_copy_has_what_the_folder_has(duplicate, place):
    kept = fill(KeptVectors(1.0, place), range(2))
    kept.write()
    fill(kept, range(2, 3))
    copied = duplicate(kept)
    assert copied.limit == kept.limit
    assert len(copied) == (0 if place is None else 2)
    assert len(kept) == 3


# The limit


def test_the_limit_is_told_once_and_what_is_kept_stays(place, caplog):
    kept = fill(KeptVectors(2.5 * SIZE / GIGABYTE, place), range(5))
    assert len(kept) == 2
    assert_has(kept, range(2))
    assert kept.get("text 2") is None
    [message] = caplog.messages
    assert message.startswith("No more token vectors are kept: the limit of")
    assert "setting keep" in message
    kept.write()
    assert_has(kept, range(2))
    assert len(caplog.messages) == 1


def test_files_of_earlier_runs_count(tmp_path, caplog):
    fill(KeptVectors(1.0, tmp_path), range(2)).write()
    size = sum(path.stat().st_size for path in files(tmp_path))
    kept = fill(KeptVectors((size + SIZE) / GIGABYTE, tmp_path), range(2, 5))
    assert_has(kept, range(3))
    assert len(kept) == 3
    assert len(caplog.messages) == 1


def test_a_limit_of_0_keeps_nothing_and_says_nothing(place, caplog):
    kept = fill(KeptVectors(0, place), range(3))
    assert len(kept) == 0
    assert not caplog.messages


# Folders that fail


def write_to_full_disk(tensors, path, metadata):
    path.write_bytes(b"half of it")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_once_and_costs_nothing(tmp_path, monkeypatch, caplog):
    kept = fill(KeptVectors(1.0, tmp_path), range(2))
    kept.write()
    fill(kept, range(2, 4))
    monkeypatch.setattr(kept_vectors, "save_file", write_to_full_disk)
    kept.write()
    [message] = caplog.messages
    assert f"{tmp_path} can't be written (no space left on the device)" in message
    assert len(files(tmp_path)) == 1
    assert_has(kept, range(4))
    fill(kept, range(4, 6))
    kept.write()
    assert len(kept) == 4
    assert len(caplog.messages) == 1
    monkeypatch.undo()
    assert_has(KeptVectors(1.0, tmp_path), range(2))


def test_files_that_can_have_no_more_bytes(tmp_path, caplog):
    """As the operating system and safetensors tell it."""
    resource = pytest.importorskip("resource", reason="Windows can't limit the size of files")
    kept = fill(KeptVectors(1.0, tmp_path), range(3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        kept.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert "can't be written" in caplog.text
    assert not files(tmp_path)
    assert_has(kept, range(3))


@pytest.mark.parametrize("inside", [(), ("deeper",)])
def test_a_file_in_the_folders_place(inside, tmp_path):
    (tmp_path / "kept").write_text("")
    with pytest.raises(ValueError, match=r"Can't keep vectors in .*kept_in = null for memory"):
        KeptVectors(1.0, Path(tmp_path, "kept", *inside))


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ValueError, match=r"Can't keep vectors in .*: permission denied"):
        KeptVectors(1.0, tmp_path)


# Damage


@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_a_file_that_was_cut_short_is_left_out(length, tmp_path, caplog):
    fill(KeptVectors(1.0, tmp_path), range(2)).write()
    [path] = files(tmp_path)
    fill(KeptVectors(1.0, tmp_path), range(2, 4)).write()
    path.write_bytes(path.read_bytes()[:length])
    kept = KeptVectors(1.0, tmp_path)
    [message] = caplog.messages
    assert message.startswith(f"Vectors in {path} are ignored")
    assert len(kept) == 2
    assert_has(kept, range(2, 4))
    fill(kept, range(2)).write()
    assert_has(kept, range(4))


def test_changed_bytes_are_never_read(tmp_path, caplog):
    fill(KeptVectors(1.0, tmp_path), range(3)).write()
    [path] = files(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 0x40  # an exponent's: one number becomes huge
    path.write_bytes(damaged)
    kept = KeptVectors(1.0, tmp_path)
    found = [kept.get(f"text {number}") for number in range(3)]
    assert sum(vectors is None for vectors in found) == 1
    [message] = caplog.messages
    assert "their checksum is wrong" in message
    assert len(kept) == 0
    fill(kept, range(3)).write()
    assert_has(kept, range(3))


def test_a_file_of_others_is_left_out(tmp_path, caplog):
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / "weights.safetensors").write_text("not ours either")
    kept = fill(KeptVectors(1.0, tmp_path), range(2))
    kept.write()
    assert_has(kept, range(2))
    assert len(caplog.messages) == 1


def test_a_file_without_checksums_has_no_vectors(tmp_path):
    kept_vectors.save_file({"text 0": tensor(0)}, tmp_path / "old.safetensors")
    assert KeptFile(tmp_path / "old.safetensors").keys() == []


def test_files_that_were_removed_on_the_way(tmp_path):
    """They stay readable for those who have opened them."""
    kept = fill(KeptVectors(1.0, tmp_path), range(2))
    kept.write()
    [path] = files(tmp_path)
    path.unlink()
    fill(kept, range(2, 4)).write()
    assert_has(kept, range(4))


# Processes


def _fill_and_write(folder: Path, numbers: range) -> None:
    for number in numbers:
        fill(kept := KeptVectors(1.0, folder), range(number, number + 1))
        kept.write()


def test_two_processes_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_fill_and_write, args=(tmp_path / "kept", numbers))
        for numbers in (range(20), range(10, 30))
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert_has(KeptVectors(1.0, tmp_path / "kept"), range(30))


def _die_while_writing(folder: Path) -> None:
    kept = fill(KeptVectors(1.0, folder), range(2))
    kept.write()
    fill(kept, range(2, 4))

    def write_half(tensors, path, metadata):
        whole = path.with_suffix(".whole")
        save_file(tensors, whole, metadata)
        path.write_bytes(whole.read_bytes()[:-SIZE])
        whole.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

    save_file, kept_vectors.save_file = kept_vectors.save_file, write_half
    kept.write()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_half_a_file_is_never_read(tmp_path, caplog):
    process = multiprocessing.get_context("fork").Process(
        target=_die_while_writing, args=(tmp_path,)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert [path.suffix for path in files(tmp_path)].count(".unfinished") == 1
    kept = KeptVectors(1.0, tmp_path)
    assert len(kept) == 2
    assert_has(kept, range(2))
    assert not caplog.messages


def test_write_file_leaves_whole_files_alone(tmp_path):
    path = tmp_path / "one.safetensors"
    write_file(path, {"text 0": tensor(0)})
    assert torch.equal(KeptFile(path).get("text 0"), tensor(0))
    assert files(tmp_path) == [path]
