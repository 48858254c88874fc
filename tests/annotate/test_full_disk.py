"""A disk that fills up ends the run; nothing is half written, and it can be resumed."""

import os

import pytest

from .helpers import annotate, command, documents_in, files_in, write_lines

resource = pytest.importorskip("resource", reason="Windows can't limit the size of files")


@pytest.mark.parametrize("to", ["parquet", "docbin"])
@pytest.mark.parametrize("room", [0, 2000])
def test_a_full_disk(room, to, ruler, tmp_path):
    """room: no file can have more bytes; the second shard's need more."""
    texts = ["Maria."] * 4 + [f"Maria left Lisbon in {os.urandom(20).hex()}." for _ in range(100)]
    path = write_lines(tmp_path / "a.txt", texts)
    output, options = tmp_path / "out", ("--to", to, "--shard-size", 4 if room == 0 else 52)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        done = command(ruler, path, output, *options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.exit_code == 1, done.output
    assert "File too large" in done.output
    assert ("to resume" in done.output) == (room > 0)
    assert files_in(output).keys() <= {"manifest.json"}
    again = command(ruler, path, output, *options)
    assert again.exit_code == 0, again.output
    assert "104 documents" in again.output


def test_shards_that_were_done_are_whole(ruler, tmp_path, monkeypatch):
    """The disk is full in the third shard."""
    path = write_lines(tmp_path / "a.txt", [f"Maria left Lisbon in {i}." for i in range(30)])
    calls = iter(range(100))
    fsync = os.fsync

    def fsync_on_a_full_disk(descriptor):
        if next(calls) > 20:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", fsync_on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        annotate(ruler, [path], tmp_path / "out")
    monkeypatch.undo()
    before = files_in(tmp_path / "out")
    done = [name for name in before if name.startswith("done")]
    assert 0 < len(done) < 4
    assert not [name for name in before if name.endswith(".unfinished")]
    assert annotate(ruler, [path], tmp_path / "out").before == len(done)
    after = files_in(tmp_path / "out")
    assert {name: after[name] for name in done} == {name: before[name] for name in done}
    assert documents_in(tmp_path / "out") == [f"{path}:{i}" for i in range(1, 31)]
