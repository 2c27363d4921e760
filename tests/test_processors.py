"""The same bytes everywhere: one machine behaves like others, as far as the environment can make it."""

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from numpy._core import _multiarray_umath as numpy_core

from tests.conftest import ROOT, Project

# Names of OpenBLAS's kernels, the instructions that each needs, and a number of threads. In NumPy's and SciPy's builds
# Zen has the kernels of Haswell, so that these two differ in the threads alone.
KERNELS = {"Nehalem": ("SSE42", 1), "Haswell": ("AVX2", 2), "Zen": ("AVX2", 1), "SkylakeX": ("AVX512_SKX", 2)}
OLDEST = "Nehalem"
SHOW = """
import numpy, scipy.linalg, threadpoolctl
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print({each["architecture"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"})
print(any(__cpu_features__[name] for name in __cpu_dispatch__))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="only kernels for x86-64 can be exchanged"
    ),
]


def on(kernel: str, project: Project) -> Project:
    """The project on a processor of that kind; the oldest one has none of the instructions that NumPy or the C library
    could choose."""
    made, (needs, threads) = project.real(), KERNELS[kernel]
    if not numpy_core.__cpu_features__.get(needs):
        pytest.skip(f"this processor has no {needs}")
    made.env |= {"OPENBLAS_CORETYPE": kernel} | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    if kernel == OLDEST:
        made.env["NPY_DISABLE_CPU_FEATURES"] = " ".join(numpy_core.__cpu_dispatch__)
        made.env["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"
    shown = made.run(sys.executable, "-W", "error", "-c", SHOW).stdout.split("\n")
    assert shown[0] == str({"Haswell" if kernel == "Zen" else kernel})
    assert kernel != OLDEST or shown[1] == "False"
    return made


def prepare(project: Project) -> None:
    """The shipped parameters, in place of the small ones of tests, and live rows."""
    shipped = (ROOT / "params.yaml").read_text(encoding="utf-8")
    project.path("params.yaml").write_text(shipped, encoding="utf-8")
    rows = project.path("data/raw/housing.csv").read_text().splitlines()
    project.path("data/live/rows.csv").write_text("\n".join(rows[:120]) + "\n")


def outputs(project: Project) -> dict[str, str]:
    """The hash of each output of the pipeline."""
    stages = yaml.safe_load(project.path("dvc.lock").read_text())["stages"].values()
    return {each["path"]: each["md5"] for stage in stages for each in stage["outs"]}


@pytest.fixture(scope="session")
def oldest(build: Callable[..., Project], _pristine: Project) -> Project:
    def reproduce(folder: Path) -> None:
        project = on(OLDEST, _pristine.copy(folder))
        prepare(project)
        project.dvc("repro")

    return build("oldest", reproduce)


@pytest.mark.parametrize("kernel", [name for name in KERNELS if name != OLDEST])
def test_every_processor_writes_the_same_bytes(kernel: str, oldest: Project, project: Project) -> None:
    """The whole pipeline with the shipped parameters writes the same outputs with the kernels of OpenBLAS and NumPy for
    an old processor as with those for newer ones, and with one and two threads."""
    project = on(kernel, project)
    prepare(project)
    project.dvc("repro", "--no-run-cache")
    assert outputs(project) == outputs(oldest)
    assert project.path("dvc.lock").read_bytes() == oldest.path("dvc.lock").read_bytes()
