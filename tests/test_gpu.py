"""A GPU that can't be used: one line says what is missing and what to type."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import srsly
import torch
from experiments.conftest import PART_SIZES, write_sample
from spacy.cli import app
from typer.testing import CliRunner

from spacy_hgn.backend import gpu
from spacy_hgn.backend.gpu import GpuError, check_gpu, use_gpu
from spacy_hgn.cli.pipelines import choose_device

ROOT = Path(__file__).parent.parent


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


def fake_cupy(monkeypatch, built=13020, driver=13, gpus=2) -> SimpleNamespace:
    """A CuPy that is for one CUDA, beside a driver that knows one, and sees some GPUs."""

    def count():
        if isinstance(gpus, Exception):
            raise gpus
        return gpus

    runtime = SimpleNamespace(
        runtimeGetVersion=lambda: built,
        getDeviceCount=count,
        CUDARuntimeError=CUDARuntimeError,
    )
    monkeypatch.setattr(gpu, "driver_cuda", lambda: driver)
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupy.cublas", SimpleNamespace())
    return cupy


@pytest.fixture(autouse=True)
def on_linux(monkeypatch):
    monkeypatch.setattr(gpu.platform, "system", lambda: "Linux")
    monkeypatch.setattr(gpu, "driver_cuda", lambda: 13)
    monkeypatch.setattr(gpu, "PIP", "pip")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "cupy"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def cuda_13(monkeypatch):
    """A torch that is built for CUDA 13.0."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")


def refused(gpu_id=0) -> str:
    with pytest.raises(GpuError) as error:
        check_gpu(gpu_id)
    told = str(error.value)
    assert "\n" not in told
    return told


def failing_import(monkeypatch, error: ImportError) -> None:
    def fail(name, *_):
        raise error

    monkeypatch.setattr(gpu, "import_module", fail)


@pytest.mark.parametrize(
    ("cuda", "extra"), [("13.0", "cuda13x"), ("12.8", "cuda12x"), (None, "cuda13x")]
)
def test_no_cupy(cuda, extra, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    assert f"CuPy isn't installed: pip install 'spacy-hgn[{extra}]'" in refused()


@pytest.mark.parametrize(
    ("release", "told"),
    [
        ("2.13.0+cpu", "torch 2.13.0+cpu is built without CUDA: pip install 'torch===2.13.0'"),
        ("2.13.0", "torch 2.13.0 is built without CUDA: install the build that PyTorch's page"),
    ],
)
def test_torch_for_the_cpu(release, told, monkeypatch):
    fake_cupy(monkeypatch)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch, "__version__", release)
    assert told in refused()
    assert "CuPy" not in refused()


def test_all_that_is_missing_is_told_at_once(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    assert "is built without CUDA" in refused()
    assert "CuPy isn't installed" in refused()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ImportError('Failure finding "libcublasLt.so.13": No such file\nmore of it'),
            'CuPy can\'t be loaded (Failure finding "libcublasLt.so.13": No such file)',
        ),
        (
            ModuleNotFoundError("No module named 'fastrlock'", name="fastrlock"),
            "CuPy lacks fastrlock",
        ),
    ],
)
def test_cupy_without_cuda_s_libraries(error, told, cuda_13, monkeypatch):
    failing_import(monkeypatch, error)
    assert f"{told}: pip install 'spacy-hgn[cuda13x]'" in refused()


def test_cupy_for_another_cuda_than_torch(cuda_13, monkeypatch):
    fake_cupy(monkeypatch, built=12090)
    assert (
        "CuPy is built for CUDA 12, but torch for CUDA 13.0: "
        "pip uninstall cupy-cuda12x && pip install 'spacy-hgn[cuda13x]'"
    ) in refused()


def test_a_driver_that_is_too_old(cuda_13, monkeypatch):
    fake_cupy(monkeypatch, driver=12)
    told = refused()
    assert "driver supports CUDA 12, but torch and CuPy are built for CUDA 13" in told
    assert "pip install 'spacy-hgn[cuda12x]'" in told


def test_no_driver(cuda_13, monkeypatch):
    fake_cupy(monkeypatch, driver=0)
    assert "there is no NVIDIA driver" in refused()


def test_no_driver_is_told_beside_the_rest(monkeypatch):
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(gpu, "driver_cuda", lambda: 0)
    told = refused()
    assert told.index("no NVIDIA driver") < told.index("torch") < told.index("CuPy")


def test_what_to_install_for_an_older_driver(monkeypatch):
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    monkeypatch.setattr(gpu, "driver_cuda", lambda: 12)
    told = refused()
    assert "pip uninstall torch, then the extra for CUDA 12" in told
    assert "pip install 'spacy-hgn[cuda12x]'" in told


@pytest.mark.parametrize(
    ("driver", "told"), [(0, "there is no NVIDIA driver"), (12, "make demo GPU=0 CUDA=12x")]
)
def test_the_driver_is_asked_before_anything_is_installed(driver, told, monkeypatch):
    monkeypatch.setattr(gpu, "driver_cuda", lambda: driver)
    monkeypatch.setattr(sys, "argv", ["gpu", "--driver", "13x"])
    with pytest.raises(SystemExit, match=told):
        gpu.main()
    monkeypatch.setattr(gpu, "driver_cuda", lambda: 13)
    gpu.main()


def test_the_cpu_by_its_number(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu", "-1"])
    gpu.main()
    assert "No GPU is in use" in capsys.readouterr().out


def test_a_driver_that_fails(cuda_13, monkeypatch):
    fake_cupy(monkeypatch, gpus=CUDARuntimeError("cudaErrorUnknown: unknown error"))
    assert "the NVIDIA driver fails (cudaErrorUnknown: unknown error)" in refused()


@pytest.mark.parametrize(
    ("gpus", "gpu_id", "told"),
    [
        (0, 0, "no GPU is there: nvidia-smi must show it"),
        (1, 1, "one is there, GPU 0: --gpu-id 0"),
        (4, 7, "4 are there, GPUs 0 to 3: --gpu-id 0"),
    ],
)
def test_no_such_gpu(gpus, gpu_id, told, cuda_13, monkeypatch):
    fake_cupy(monkeypatch, gpus=gpus)
    assert told in refused(gpu_id)


def test_gpus_that_are_hidden(cuda_13, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    fake_cupy(monkeypatch, gpus=1)
    assert "one is there, GPU 0, since CUDA_VISIBLE_DEVICES is '3'" in refused(3)


def test_a_gpu_that_is_there(cuda_13, monkeypatch):
    fake_cupy(monkeypatch)
    check_gpu(1)


@pytest.mark.parametrize("gpu_id", [-1, -2])
def test_below_0_nothing_is_asked_or_changed(gpu_id, monkeypatch):
    def unexpected(*_):
        raise AssertionError

    for name in ("require_gpu", "set_gpu_allocator"):
        monkeypatch.setattr(f"thinc.api.{name}", unexpected)
    monkeypatch.setattr(gpu, "import_module", unexpected)
    use_gpu(gpu_id)


def test_torch_manages_the_memory(cuda_13, monkeypatch):
    fake_cupy(monkeypatch)
    done = []
    monkeypatch.setattr("thinc.api.require_gpu", lambda gpu_id: done.append(gpu_id))
    monkeypatch.setattr("thinc.api.set_gpu_allocator", lambda name: done.append(name))
    use_gpu(1)
    assert done == [1, "pytorch"]


def test_a_gpu_on_which_nothing_can_be_computed(cuda_13, monkeypatch):
    def fail(_):
        raise RuntimeError("CuPy failed to load libnvrtc.so.13: OSError\nmore of it")

    monkeypatch.setattr("thinc.api.get_torch_default_device", lambda: torch.device("cuda:0"))
    ops = SimpleNamespace(xp=SimpleNamespace(arange=fail))
    monkeypatch.setattr("thinc.api.get_current_ops", lambda: ops)
    with pytest.raises(GpuError, match=r"doesn't compute: RuntimeError: CuPy failed .*cuda13x"):
        gpu._try_out(0)


COMMANDS = {
    "annotate": ["nlp", "a.txt", "out"],
    "benchmark": ["nlp", "a.txt"],
    "calibrate": ["nlp", "a.txt"],
    "explain": ["nlp", "Maria left."],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_end_with_that_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("Maria left.\n")
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    done = CliRunner().invoke(app, ["hgn", command, *COMMANDS[command], "--gpu-id", "0"])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    (line,) = [line for line in done.output.splitlines() if "Can't use GPU 0" in line]
    assert "CuPy isn't installed: pip install 'spacy-hgn[" in line


def test_a_grid_trains_nothing_without_its_gpu(tmp_path, tiny_bert, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", "configs")
    write_sample(tmp_path / "assets" / "tiny", PART_SIZES)
    grid = {
        "config": "configs/hgn.cfg",
        "corpora": {"tiny": "tiny"},
        "heroes": {"bert": tiny_bert},
        "systems": {"base": {"components.hgn_ner.model.windows": []}},
        "seeds": [0],
        "protocols": ["clean"],
        "epochs": 1,
        "batch": 8,
    }
    srsly.write_yaml("grid.yml", grid)
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    done = CliRunner().invoke(app, ["hgn", "experiment", "run", "grid.yml", "--gpu-id", "0"])
    assert done.exit_code == 1, done.output
    assert "Can't use GPU 0" in done.output
    assert not (tmp_path / "training").exists()


@pytest.mark.parametrize("command", ["benchmark", "explain"])
def test_a_full_memory_ends_commands_with_what_helps(command, tmp_path, monkeypatch):
    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    (tmp_path / "a.txt").write_text("Maria left.\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"spacy_hgn.cli.{command}.load_pipeline", fail)
    done = CliRunner().invoke(app, ["hgn", command, *COMMANDS[command]])
    assert done.exit_code == 1
    assert "The GPU's memory is full" in done.output
    assert "max_batch_items" in done.output


def test_the_cpu_is_told(capsys):
    choose_device(-1)
    assert "Using CPU" in capsys.readouterr().out
