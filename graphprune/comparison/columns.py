"""The columns of the units' table, said once and known without importing anything heavy."""

from __future__ import annotations

# what names a unit
UNIT_LABELS = (
    "dataset",
    "network",
    "model",
    "seed",
    "regime",
    "method",
    "compression",
)
# what names a network, and what tells its units apart; several networks may have one model
NETWORK = ["dataset", "network"]
KEY = [*NETWORK, "seed", "regime", "method", "compression"]
# what a unit achieves and costs
UNIT_METRICS = (
    "sparsity",
    "params_total",
    "params_kept",
    "flops_total",
    "flops_kept",
    "file_size_total",
    "file_size_kept",
    "accuracy_dense",
    "accuracy_pruned",
    "accuracy_finetuned",
    "epochs",
    "seconds_score",
    "seconds_finetune",
)
