"""What ``checkpoint`` of a network in the configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["file", "torchvision", "timm"]
PREFIXES: dict[str, Kind] = {"weights:": "torchvision", "timm:": "timm"}


@dataclass(frozen=True)
class Source:
    """A file, or published weights.

    name: the path of the file; the weights' name in torchvision's enumeration or in timm.

    >>> Source.of("weights:ResNet18_Weights.IMAGENET1K_V1").kind
    'torchvision'
    """

    kind: Kind
    name: str

    @classmethod
    def of(cls, checkpoint: str) -> Source:
        """That of the text ``checkpoint``."""
        for prefix, kind in PREFIXES.items():
            if checkpoint.startswith(prefix):
                return cls(kind, checkpoint.removeprefix(prefix))
        return cls("file", checkpoint)

    @property
    def published(self) -> bool:
        return self.kind != "file"

    @property
    def text(self) -> str:
        """What the configuration says."""
        prefix = next((word for word, kind in PREFIXES.items() if kind == self.kind), "")
        return f"{prefix}{self.name}"

    @property
    def in_paths(self) -> str:
        """What published weights are called in paths, which have no colon."""
        return self.text.replace(":", "-").replace("/", "-")
