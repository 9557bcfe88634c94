"""The layout of a results folder: where every file lies, said once.

A path is made of the names of network, seed, method and so on. A name that is not given stays a
wildcard of Snakemake's, so that the rules take their patterns from here as well.

>>> UnitPaths("results", "digits", "mlp", 0, "finetune", "magnitude", 8).mask
'results/digits/mlp/seed0/finetune/magnitude/x8/mask.safetensors'
>>> UnitPaths("results", compression=8).mask
'results/{dataset}/{network}/seed{seed}/{regime}/{method}/x8/mask.safetensors'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from graphprune.errors import UserError

# written into a results folder when it is made; only a folder that has it is ever removed
MARKER = ".graphprune-results"
# changes when artifacts are written in another form; results of another form are refused
FORMAT = 3
_MARK = f"results of graphprune, format {FORMAT}\n"


def ratio_text(ratio: float | str) -> str:
    """A compression ratio as it stands in paths and names: all its digits, no exponent.

    >>> ratio_text(8.0), ratio_text(1234567.8), ratio_text("{compression}")
    ('8', '1234567.8', '{compression}')
    """
    if isinstance(ratio, str):
        return ratio
    if float(ratio).is_integer():
        return str(int(ratio))
    return repr(float(ratio))


def path_label(name: str) -> str:
    """What a network of the model ``name`` is called in paths, and so in the column ``network``.

    >>> path_label("torchvision:resnet18")
    'torchvision-resnet18'
    """
    return name.replace(":", "-")


@dataclass(frozen=True)
class ResultPaths:
    """The folder of all outputs, and the files in it that belong to no network."""

    results: str

    def _in(self, *names: str) -> str:
        return "/".join([str(self.results), *names])

    @property
    def marker(self) -> str:
        return self._in(MARKER)

    @property
    def units_table(self) -> str:
        return self._in("metrics.parquet")

    @property
    def units_csv(self) -> str:
        return self._in("metrics.csv")

    @property
    def layers_table(self) -> str:
        return self._in("layers.parquet")

    @property
    def summary(self) -> str:
        return self._in("summary.html")

    @property
    def report(self) -> str:
        return self._in("report.html")

    @property
    def live(self) -> str:
        """Folder of the curves of trainings that still run."""
        return self._in("live")

    @property
    def configuration(self) -> str:
        """The configuration of the last run, completed."""
        return self._in("config.json")

    @property
    def batches(self) -> str:
        """Which ratios share a process in the run that goes on."""
        return self._in(".batches.json")

    @property
    def left_out(self) -> str:
        """In an archive: the artifacts that were not packed, with the digests of their content."""
        return self._in("left_out.json")

    @property
    def database(self) -> str:
        """MLflow's store, unless MLFLOW_TRACKING_URI names another."""
        return self._in("mlflow.db")

    @property
    def figures(self) -> str:
        return self._in("figures")

    @property
    def aspl(self) -> str:
        """Folder of the experiment on average shortest path lengths."""
        return self._in("rgp_aspl")

    def dataset(self, dataset: str = "{dataset}") -> str:
        return self._in("data", f"{dataset}.safetensors")

    def weights(self, weights: str = "{weights}") -> str:
        """Published weights as they were fetched."""
        return self._in("weights", f"{weights}.safetensors")

    def figure(self, name: str, suffix: str = "png") -> str:
        return f"{self.figures}/{name}.{suffix}"

    def record(self, name: str) -> str:
        """A file that says which MLflow runs were recorded."""
        return self._in("tracking", f"{name}.json")

    def made(self, path: str) -> str:
        """The note that says what made the file ``path``, which cannot say it itself."""
        return self._in("made", f"{self.inside(path)}.json")

    def inside(self, path: str) -> str:
        """``path`` as it is called inside the results, wherever they lie."""
        return PurePath(path).relative_to(self.results).as_posix()

    def log(self, rule: str, job: str = "") -> str:
        return self._in("logs", *([rule, f"{job}.log"] if job else [f"{rule}.log"]))

    def benchmark(self, rule: str, job: str = "") -> str:
        return self._in("benchmarks", *([rule, f"{job}.tsv"] if job else [f"{rule}.tsv"]))


@dataclass(frozen=True)
class NetworkPaths(ResultPaths):
    """A dense network of one seed."""

    dataset_name: str = "{dataset}"
    network: str = "{network}"
    seed: int | str = "{seed}"

    @property
    def id(self) -> str:
        """What the network is called, also its folder below the results."""
        return f"{self.dataset_name}/{self.network}/seed{self.seed}"

    @property
    def job(self) -> str:
        """The name of the log files of its jobs."""
        return self.id.replace("/", "-")

    @property
    def network_folder(self) -> str:
        return self._in(self.id)

    @property
    def dense_folder(self) -> str:
        return f"{self.network_folder}/dense"

    @property
    def initial(self) -> str:
        """Checkpoint of the untrained network."""
        return f"{self.dense_folder}/initial.safetensors"

    @property
    def checkpoint(self) -> str:
        """Checkpoint of the trained network."""
        return f"{self.dense_folder}/checkpoint.safetensors"

    @property
    def dense_history(self) -> str:
        return f"{self.dense_folder}/history.csv"

    @property
    def activations(self) -> str:
        """Calibration examples of the trained network, and its layers' values for them."""
        return f"{self.dense_folder}/activations.safetensors"

    @property
    def initial_activations(self) -> str:
        return f"{self.dense_folder}/initial_activations.safetensors"

    @property
    def graph_summary(self) -> str:
        return f"{self.dense_folder}/graph.json"

    @property
    def graph(self) -> str:
        return f"{self.dense_folder}/graph.gt.zst"

    @property
    def latency(self) -> str:
        return f"{self.network_folder}/latency.csv"


@dataclass(frozen=True)
class MethodPaths(NetworkPaths):
    """What one method did with a network in one regime, at all ratios."""

    regime: str = "{regime}"
    method: str = "{method}"

    @property
    def id(self) -> str:
        return f"{super().id}/{self.regime}/{self.method}"

    @property
    def network_id(self) -> str:
        return super().id

    @property
    def network_folder(self) -> str:
        return self._in(self.network_id)

    @property
    def method_job(self) -> str:
        """The name of the log files of the jobs of this method."""
        return f"{self.network_id}/{self.regime}/{self.method}".replace("/", "-")

    @property
    def method_folder(self) -> str:
        return f"{self.network_folder}/{self.regime}/{self.method}"

    @property
    def ranking(self) -> str:
        """Scores that serve all ratios."""
        return f"{self.method_folder}/scores.safetensors"

    @property
    def ranking_report(self) -> str:
        """What the method reported of these scores, and how long they took."""
        return f"{self.method_folder}/scores.json"

    @property
    def removal(self) -> str:
        """Accuracy while weights are removed in the order of the scores."""
        return f"{self.method_folder}/removal.csv"

    def part(self, part: int | str = "{part}") -> str:
        """Scores by some of the examples."""
        return f"{self.method_folder}/parts/{part}.safetensors"


@dataclass(frozen=True)
class UnitPaths(MethodPaths):
    """One network pruned by one method in one regime at one compression ratio, by one seed."""

    compression: float | str = "{compression}"

    @property
    def id(self) -> str:
        return f"{super().id}/{self.ratio}"

    @property
    def ratio(self) -> str:
        return f"x{ratio_text(self.compression)}"

    @property
    def folder(self) -> str:
        return f"{self.method_folder}/{self.ratio}"

    @property
    def scores(self) -> str:
        """Scores made for this ratio alone."""
        return f"{self.folder}/scores.safetensors"

    @property
    def scores_report(self) -> str:
        """What the method reported of the scores made for this ratio."""
        return f"{self.folder}/scores.json"

    @property
    def mask(self) -> str:
        return f"{self.folder}/mask.safetensors"

    @property
    def finetuned(self) -> str:
        return f"{self.folder}/finetuned.safetensors"

    @property
    def history(self) -> str:
        return f"{self.folder}/history.csv"

    @property
    def metrics(self) -> str:
        return f"{self.folder}/metrics.json"

    @property
    def unit_figure(self) -> str:
        return f"{self.folder}/figure.png"

    @classmethod
    def of(cls, results: str | Path, path: str | Path) -> Self:
        """The unit in whose folder ``path`` lies.

        Raises UserError if it lies in the folder of no unit.

        >>> UnitPaths.of("results", "results/digits/mlp/seed0/finetune/rgp/x8/history.csv").method
        'rgp'
        """
        try:
            parts = PurePath(path).relative_to(results).parts
            dataset, network, seed, regime, method, ratio = parts[:6]
            number = re.fullmatch(r"seed(\d+)", seed)
            size = re.fullmatch(r"x(\d+(?:\.\d+)?)", ratio)
            if not number or not size:
                raise ValueError(path)
        except ValueError as error:
            raise UserError(f"{path}: lies in the folder of no unit of {results}") from error
        return cls(str(results), dataset, network, int(number[1]), regime, method, float(size[1]))


def folder_of(path: str) -> str:
    """The folder a file lies in: of a file of a unit, that of the unit.

    >>> folder_of("results/digits/mlp/seed0/finetune/rgp/x8/mask.safetensors")
    'results/digits/mlp/seed0/finetune/rgp/x8'
    """
    return path.rpartition("/")[0]


def mark(results: str | Path) -> None:
    """Make the folder ``results``, and mark it as one that may be removed as a whole.

    A folder that held other things before is not marked: it is empty, or all in it are folders of
    results.
    """
    folder = Path(results)
    folder.mkdir(parents=True, exist_ok=True)
    if all((entry / MARKER).exists() for entry in folder.iterdir()):
        (folder / MARKER).write_text(_MARK)


def check_format(results: str | Path) -> None:
    """UserError if ``results`` is a folder of results that another version has written."""
    marker = Path(results) / MARKER
    if marker.is_file() and (written := marker.read_text(errors="replace")) != _MARK:
        known = re.fullmatch(r"results of graphprune, format (\d{1,9})\n", written)
        form = known[1] if known else "before 3"
        raise UserError(
            f"{results}: results of another version of graphprune, whose files (format {form}) "
            f"this one does not read (format {FORMAT}); choose another folder, or remove this one "
            "with make clean"
        )


def network_of(unit: str) -> str:
    """The id of the network that the network, method or unit with the id ``unit`` belongs to.

    >>> network_of("digits/mlp/seed0/finetune/rgp/x8")
    'digits/mlp/seed0'
    """
    return "/".join(unit.split("/")[:3])
