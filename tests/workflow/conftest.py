"""The small run that several modules look at; it is made once."""

from __future__ import annotations

from pathlib import Path

import one_process
import plain_results
import pytest
import yaml


@pytest.fixture(scope="session")
def glue_folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the run of `plain_results.CONFIG` has ended."""
    folder = tmp_path_factory.mktemp("glue")
    (folder / "normed.py").write_text(plain_results.PLUGIN)
    (folder / "config.yaml").write_text(yaml.safe_dump(plain_results.CONFIG, sort_keys=False))
    seeds = plain_results.SEEDS
    removal = [f"out/{plain_results.NETWORK}/seed{s}/finetune/curvature/removal.csv" for s in seeds]
    one_process.run(root, folder, Path("config.yaml"), "out/metrics.parquet", *removal)
    return folder
