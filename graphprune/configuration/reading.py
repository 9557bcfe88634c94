"""Configuration files: YAML in which every key stands once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from graphprune.errors import UserError, shown

# values a configuration may have once its aliases are written out
MOST_VALUES = 1_000_000


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's safe loader; of a key that stands twice the last would win silently there."""

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            raise UserError(f"its aliases make more than {MOST_VALUES} values; write fewer")
        return node


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values ``node`` has, those behind aliases included; its keys are checked.

    known: what has been counted, by id; 0 while a node is being counted.
    """
    if known.get(id(node)) == 0:
        line = node.start_mark.line + 1
        raise UserError(f"line {line}: a value holds itself; write it out")
    if id(node) not in known:
        known[id(node)] = 0
        below = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            below = [value for _, value in below]
        known[id(node)] = 1 + sum(_values(one, known) for one in below)
    return known[id(node)]


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            scalar = isinstance(key, yaml.ScalarNode)
            name = shown(key.value)[1:-1] if scalar else "of several values"
            raise UserError(f"line {line}: key {name} is no text; write it in quotes or rename it")
        if key.value in seen:
            name = shown(key.value)
            raise UserError(f"line {line}: key {name} stands twice; each is allowed once")
        seen.add(key.value)


def read(path: str | Path) -> dict[str, Any]:
    """The keys in the configuration file ``path``.

    Raises UserError, naming the file, if it is missing, no YAML, no mapping, has a key that is no
    text or stands twice, or asks Snakemake to run code in it.

    >>> read("config.yaml")["seeds"]
    [0, 1, 2]
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            config = yaml.load(file, _Loader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a configuration file") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: no YAML ({reason[:200]})") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: holds {type(config).__name__}; expected keys and their values")
    if "__use_yte__" in config:  # Snakemake would run the Python in the file
        raise UserError(f"{path}: key '__use_yte__' is set; allowed: values alone, no code")
    return config
