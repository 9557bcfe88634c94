"""The pages made from the keys: the JSON schema for editors, and ``docs/configuration.md``.

``python -m graphprune.configuration.publish`` writes both into a checkout; a test says when they
are stale.
"""

from __future__ import annotations

import json
from inspect import getdoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from graphprune.configuration.keys import (
    Config,
    Data,
    Network,
    Preprocess,
    Recipe,
    Training,
    entry_section,
)
from graphprune.data.catalog import DATASETS
from graphprune.data.streamed.folders import ImageFolder
from graphprune.files import atomic
from graphprune.methods.catalog import METHODS, method_class
from graphprune.models.catalog import MODELS
from graphprune.options import number
from graphprune.training.settings import Adversarial

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
PAGE = ROOT / "docs" / "configuration.md"

_HEAD = """# Made by `python -m graphprune.configuration.publish`; do not edit.
# For editors; the workflow checks a configuration by the package itself.
"""
_TYPES = {int: "integer", float: "number", str: "text", bool: "true or false", dict: "keys"}
_SIGNS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the configuration, with the built-in methods."""
    made = Config.model_json_schema()
    entries = {}
    for name in METHODS.builtin():
        entry = entry_section(method_class(name)).model_json_schema()
        made["$defs"].update(entry.pop("$defs", {}))
        made["$defs"][f"method_{name}"] = entry
        entries[name] = {"$ref": f"#/$defs/method_{name}"}
    made["properties"]["methods"] |= {
        "properties": entries,
        # a label of its own, or a method of a plug-in
        "additionalProperties": {"type": "object"},
    }
    # of settings that override others only those given count
    for override in made["$defs"]["Overrides"]["properties"].values():
        del override["default"]
    del made["$defs"]["Recipe"]["properties"]["epochs"]["default"]
    for section in ("train", "finetune"):
        # what `complete` fills in has no name of a recipe any more
        del made["properties"][section]["default"]["recipe"]
    training = made["$defs"]["Training"]
    training["anyOf"] = [{"required": training.pop("required")}, {"required": ["recipe"]}]
    made["properties"]["rgp_aspl"]["default"]["train"] = {}
    made["$defs"]["PathLengths"]["properties"]["train"]["default"] = {}
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "graphprune configuration"
    return made


def schema_text() -> str:
    """The schema as YAML."""
    # through JSON, so that what pydantic shares is not written as anchors
    plain = json.loads(json.dumps(schema()))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return _HEAD + text


def page() -> str:
    """``docs/configuration.md``: every key with its type, default and meaning."""
    parts = [_INTRODUCTION, "## Top level", _table(Config)]
    for name, field in Config.model_fields.items():
        section = _section_in(field.annotation)
        if section is None or section in (Training, Network, Recipe):
            continue
        parts += [f"## `{name}`", section.__doc__ or "", _table(section)]
        if section is Data:
            parts += ["### An entry of `data.folders`", _FOLDER, _table(ImageFolder)]
    parts += ["## An entry of `networks`", Network.__doc__ or "", _table(Network)]
    parts += ["## `preprocess` of a network", Preprocess.__doc__ or "", _table(Preprocess)]
    epochs = {part: Config.model_fields[part].default.epochs for part in ("train", "finetune")}
    parts += ["## `train`, `finetune`", _TRAINING.format(**epochs), _table(Training)]
    parts += ["### `adversarial`", getdoc(Adversarial) or "", _table(Adversarial)]
    parts += ["## An entry of `methods`", _ENTRY]
    for name in METHODS.builtin():
        cls = method_class(name)
        parts += [f"### `{name}`", _about(cls), _table(entry_section(cls), _SHARED)]
    parts += [
        "## Datasets and models",
        f"Datasets: {_names(DATASETS.builtin())}.",
        f"Models: {_names(MODELS.builtin())}.",
        "Every classifier of torchvision is `torchvision:NAME`, every one of timm `timm:NAME`; see "
        "[networks.md](networks.md). Plug-ins add others, see [extending.md](extending.md).",
    ]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """# Configuration

<!-- Made by `python -m graphprune.configuration.publish`; do not edit. -->

Everything a comparison needs is said in one YAML file: `config.yaml`, or the one given with
`--configfile`. A file stands alone: a key that it does not have takes the default below. The whole
file is checked before anything starts, and the first error is reported in one line."""
_TRAINING = """The training of the dense networks, and the fine-tuning of the pruned ones. Where the
file has no such section, `train` takes {train} epochs and `finetune` {finetune}; a section that is
given says its `epochs`. What each key does, with formulas, stands in [training.md](training.md).

An entry of `recipes` has the same keys but `recipe`, and each may be left out. A section of one
network that names a recipe takes nothing from the common section but `epochs` where neither says
them:

```yaml
recipes:
  long: {{epochs: 160, batch_size: 128, learning_rate: 0.1, schedule: multistep, warmup: 1}}
train: {{recipe: long}}
finetune: {{recipe: long, epochs: 40, learning_rate: 0.01}}
```"""
_ENTRY = """The key is a label of your own: lower case letters, digits and underscores. A label that
is no method's name gives the name as `method`, so that one method can be compared with itself under
other options:

```yaml
methods:
  magnitude: {}
  magnitude_layer: {method: magnitude, scope: layer}
```

Every entry may have `method`, `scope` (`global` ranks all weights together, `layer` prunes every
layer alike) and `regimes` (those of the top level where it does not say). What else it may have
depends on the method. The workflow itself sets `seed`, `threads`, `sparsity` and `checkpoint`."""
_FOLDER = """A folder of images in the layout of torchvision's `ImageFolder`. Its key is the name
that networks, paths and tables call the dataset by: lower case letters, digits and underscores."""
_SHARED = ("method", "scope", "regimes")


def _about(cls: Any) -> str:
    first: str = (cls.__doc__ or "").split("\n\n")[0].replace("\n    ", " ").strip()
    sees = {
        "none": "It looks at no examples.",
        "calibration": "It looks at the calibration examples.",
        "training": "It looks at the training split.",
    }[cls.examples]
    runs = "It runs for every ratio." if cls.per_sparsity else "One ranking serves all ratios."
    decides = " It decides its mask itself." if cls.decides_mask else ""
    parts = " It is divisible: `calibration.parts`." if cls.divisible else ""
    return f"{first} {sees} {runs}{decides}{parts} Paper: {cls.paper}."


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(section: Any, leave_out: tuple[str, ...] = ()) -> str:
    rows = [
        f"| `{name}` | {_allowed(field)} | {_default(field)} | {_description(field)} |"
        for name, field in section.model_fields.items()
        if name not in leave_out
    ]
    if not rows:
        return "No options of its own."
    return "\n".join(
        ["| key | allowed | default | what it is |", "| --- | --- | --- | --- |", *rows]
    )


def _description(field: FieldInfo) -> str:
    section = _section_in(field.annotation)
    return field.description or (section.__doc__ if section else "") or ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    return "none" if value is None else f"`{json.dumps(value)}`".replace('"', "")


def _allowed(field: FieldInfo) -> str:
    return _type(field.annotation, list(field.metadata))


def _type(annotation: Any, metadata: list[Any]) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return _type(inner, [*_flat(more), *metadata])
    if origin in (Union, UnionType):
        members = [one for one in get_args(annotation) if one is not NoneType]
        texts = [_type(one, metadata) for one in members]
        return " or ".join(texts + ["null"] * (NoneType in get_args(annotation)))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is list:
        least = next((m.min_length for m in metadata if isinstance(m, MinLen)), 0)
        return f"list of {_type(get_args(annotation)[0], [])}{', not empty' if least else ''}"
    if _section_in(annotation) is not None:
        return "keys"
    bounds = [
        f"{sign} {number(getattr(one, name))}"
        for one in _flat(metadata)
        for kind, (sign, name) in _SIGNS.items()
        if isinstance(one, kind)
    ]
    return " ".join([_TYPES.get(origin or annotation, "value"), ", ".join(bounds)]).strip()


def _flat(metadata: list[Any]) -> list[Any]:
    """Annotations, those inside pydantic's ``Field`` included."""
    flat: list[Any] = []
    for one in metadata:
        flat += one.metadata if isinstance(one, FieldInfo) else [one]
    return flat


def _section_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if get_origin(annotation) is not list and (section := _section_in(argument)) is not None:
            return section
    return None


def main() -> None:
    """Write the schema and the page into this checkout."""
    for path, text in ((SCHEMA, schema_text()), (PAGE, page())):
        with atomic(path) as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    main()
