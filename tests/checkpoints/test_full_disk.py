"""A disk that fills up costs no checkpoint that was written before."""

import pytest

from spacy_hgn.training.checkpoints.folder import CheckpointFolder

from .helpers import CHECKPOINTS, cnn_config, files, table, train

pytestmark = pytest.mark.slow

resource = pytest.importorskip("resource", reason="Windows can't limit the size of files")
write = CheckpointFolder.write


@pytest.mark.parametrize("room", [0, 20_000])
def test_earlier_checkpoints_are_whole_and_gone_on_from(room, folder, small_config, monkeypatch):
    """room: of the third checkpoint's files, none can have more bytes."""
    calls = iter(range(100))
    before = {}

    def write_to_a_full_disk(self, *args):
        if next(calls) < 2:
            return write(self, *args)
        before.update(files(folder / CHECKPOINTS))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            return write(self, *args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(CheckpointFolder, "write", write_to_a_full_disk)
    with pytest.raises(OSError, match=r"Can't write the checkpoint .*: make room, then start"):
        train(small_config)
    assert files(folder / CHECKPOINTS) == before
    assert any(name.startswith("step-4-") for name in before)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    _, printed = train(small_config)
    whole = cnn_config(**{"training.logger.path": "elsewhere"})
    assert table(printed) == table(train(whole)[1])
