"""What the comparison's files hold, said once: a unit's row, its history, latencies, removal.

The classes are the schemas: names, types and ranges of the columns, and what must hold between
them. Known without importing anything heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from graphprune.errors import UserError, shown
from graphprune.options import STRICT, first_error
from graphprune.training.regimes import Regime

Name = Annotated[str, Field(min_length=1, max_length=500)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(ge=1, lt=2**63)]
Seconds = Annotated[float, Field(ge=0)]

# what rounding may change in a share that is worked out in two ways
ROUNDING = 1e-9


class Labels(BaseModel):
    """What names a unit."""

    model_config = STRICT

    dataset: Name
    network: Name
    model: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    regime: Regime
    method: Name
    compression: Annotated[float, Field(ge=1)]


class Layer(BaseModel):
    """A layer of a unit: its prunable weight, the share that is kept, FLOPs of one example."""

    model_config = STRICT

    layer: Name
    density: Share
    flops_kept: Count


class Metrics(BaseModel):
    """What a unit achieves and costs."""

    model_config = STRICT

    sparsity: Share
    params_total: Positive
    params_kept: Positive
    flops_total: Count
    flops_kept: Count
    file_size_total: Positive
    file_size_kept: Positive
    accuracy_dense: Share
    accuracy_pruned: Share
    accuracy_finetuned: Share
    epochs: Count
    seconds_score: Seconds
    seconds_finetune: Seconds


class UnitRow(Metrics, Labels):
    """``metrics.json``: a unit's row of the comparison, its method's report, its layers."""

    # the numbers of a method may be infinite or NaN; no table has them
    report: dict[Name, Annotated[float, Field(allow_inf_nan=True)]]
    layers: Annotated[list[Layer], Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.params_kept > self.params_total:
            raise ValueError(f"params_kept is {self.params_kept}; allowed: <= params_total")
        if self.flops_kept > self.flops_total:
            raise ValueError(f"flops_kept is {self.flops_kept}; allowed: <= flops_total")
        expected = 1 - self.params_kept / self.params_total
        if abs(self.sparsity - expected) > ROUNDING:
            raise ValueError(
                f"sparsity is {self.sparsity}; expected 1 - params_kept / params_total = {expected}"
            )
        if len({layer.layer for layer in self.layers}) < len(self.layers):
            raise ValueError("layers name a layer twice; each is allowed once")
        if (flops := sum(layer.flops_kept for layer in self.layers)) != self.flops_kept:
            raise ValueError(f"flops_kept is {self.flops_kept}; the layers' add up to {flops}")
        return self


class HistoryRow(BaseModel):
    """A row of ``history.csv``: an epoch of a training."""

    model_config = STRICT

    epoch: Positive
    learning_rate: Annotated[float, Field(ge=0)]
    loss: float
    accuracy_train: Share
    accuracy_validation: Share | None = None
    seconds: Seconds


class LatencyRow(Labels):
    """A row of ``latency.csv``: median seconds of a pass of a unit's networks."""

    batch_size: Positive
    dense: Annotated[float, Field(gt=0)]
    masked: Annotated[float, Field(gt=0)]
    compact: Annotated[float, Field(gt=0)]


class RemovalRow(BaseModel):
    """A row of ``removal.csv``: accuracy after a share of the weights was removed in an order."""

    model_config = STRICT

    order: Name
    removed: Share
    accuracy: Share
    seed: Annotated[int, Field(ge=0, lt=2**32)]


UNIT_LABELS = tuple(Labels.model_fields)
UNIT_METRICS = tuple(Metrics.model_fields)
# what names a network, and what tells its units apart; several networks may have one model
NETWORK = ["dataset", "network"]
KEY = [*NETWORK, "seed", "regime", "method", "compression"]


def checked(
    schema: type[BaseModel], value: Mapping[str, Any], where: str, strict: bool = True
) -> dict[str, Any]:
    """``value`` if it is what ``schema`` says.

    strict: no text for a number; a table of text, such as CSV, is not read strictly.

    Raises UserError, one line that begins with ``where``, for the first thing that is not.

    >>> checked(Layer, {"layer": "fc.weight", "density": 0.5, "flops_kept": 64}, "metrics.json")
    {'layer': 'fc.weight', 'density': 0.5, 'flops_kept': 64}
    """
    try:
        return schema.model_validate(dict(value), strict=strict).model_dump(exclude_unset=True)
    except ValidationError as error:
        if error.errors()[0]["type"] == "value_error":
            # what is wrong between columns says which; the whole row says nothing more
            reason = " ".join(str(error.errors()[0]["ctx"]["error"]).split())
            raise UserError(f"{where}: {reason}") from None
        raise UserError(f"{where}: {first_error(error, schema, value, '')}") from None


def check_history(rows: Iterable[Mapping[str, Any]], where: str, epochs: int | None = None) -> None:
    """UserError, naming ``where``, unless ``rows`` are the epochs 1, 2, ... in order.

    rows: those of `HistoryRow`. epochs: how many there are to be; None if that is not known.
    """
    found = [row["epoch"] for row in rows]
    wrong = next((e for e, expected in zip(found, count(1), strict=False) if e != expected), None)
    if wrong is not None:
        raise UserError(f"{where}: epoch {shown(wrong)} is out of order; expected 1, 2, ...")
    if epochs is not None and len(found) != epochs:
        raise UserError(f"{where}: holds {len(found)} epochs; expected the {epochs} planned")


def check_unit(row: Mapping[str, Any], removed: int | None, where: str) -> dict[str, Any]:
    """``row``, a unit's metrics that were just made, as `UnitRow` says.

    removed: how many weights must have gone; None where the method decides that.

    Raises UserError naming ``where`` and the first number that cannot be.
    """
    full = checked(UnitRow, row, where)
    total, kept = full["params_total"], full["params_kept"]
    if removed is not None and kept != total - removed:
        raise UserError(
            f"{where}: params_kept is {kept} of {total}; expected {total - removed} at compression "
            f"{full['compression']:g}"
        )
    return full
