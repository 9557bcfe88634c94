"""What the values of the configuration's keys may be: texts, names and numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from graphprune.data.catalog import DATASETS
from graphprune.models.catalog import MODELS
from graphprune.options import matching, named

# parts of file names, of addresses and of regular expressions
NAME, NAME_IN_WORDS = r"[a-z][a-z0-9_]*", "lower case letters, digits, underscores, a letter first"
TEXT, TEXT_IN_WORDS = (
    r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+",
    "one line of text without control characters",
)
Text = Annotated[str, Field(min_length=1), AfterValidator(matching(TEXT, TEXT_IN_WORDS))]
Folder = Annotated[Text, Field(max_length=1000)]
Name = Annotated[
    str,
    Field(max_length=60, json_schema_extra={"pattern": f"^{NAME}$"}),
    AfterValidator(matching(NAME, NAME_IN_WORDS)),
]
Dataset = Annotated[
    str,
    AfterValidator(named("dataset", lambda: DATASETS)),
    WithJsonSchema({"type": "string", "examples": DATASETS.builtin()}),
]


def _model(value: str) -> str:
    """The name of a model, also of one of a library, which says itself why it has none."""
    if MODELS.family(value):
        MODELS[value]
        return value
    return named("model", lambda: MODELS)(value)


Model = Annotated[
    str,
    AfterValidator(_model),
    WithJsonSchema({"type": "string", "examples": MODELS.builtin()}),
]
SHA256 = r"[0-9a-f]{64}"
Digest = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{SHA256}$"}),
    AfterValidator(matching(SHA256, "64 hexadecimal digits in lower case")),
]
Count = Annotated[int, Field(ge=1, le=2**31)]
Ratio = Annotated[float, Field(ge=1, le=1e12)]
