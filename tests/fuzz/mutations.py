"""Changes of a file: bytes, lengths, values in its header, other files, no file at all."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz.artifacts import json_of
from hypothesis import strategies as st

from graphprune.checkpoints import KEY
from graphprune.files import MADE, SEAL, json_digest, sealed

NESTED = 20_000
NAN, INFINITE, LOOP = float("nan"), float("inf"), "loop"
# what a header may hold instead: other types, sizes that no memory has, names that a reader uses
VALUES = st.one_of(
    st.sampled_from([
        None, True, False, 0, 1, -1, 2, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, NAN, INFINITE,
        "", "a", "\0", "\ud800", "true", "false", "mask", "checkpoint", "[]", "{}", "null", "NaN",
        "[[[" * 3, "[" * NESTED, "0" * 5000, [], {}, [[]], [None], [-1], [0, 2**62], [2**31, 2**31],
        [0.5], ["a"], {"a": 1}, {"a": None}, {"a": [2, 3]}, {"": {}}, [1] * 50,
        "F64", "F4", "F8_E4M3", "BF16", "BOOL", "U8", "I64", "C64", "X9",
    ]),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
)  # fmt: skip
MUTATION = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 2**20), st.integers(1, 255)),
    st.tuples(st.just("flip early"), st.integers(0, 400), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.integers(0, 2**20)),
    st.tuples(st.just("insert"), st.integers(0, 2**20), st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("length"), st.integers(0, 2**64 - 1) | st.integers(0, 3000)),
    st.tuples(st.just("bytes"), st.binary(max_size=64)),
    st.tuples(st.just("random"), st.integers(0, 2**32)),
    st.tuples(st.just("edit"), st.integers(0, 2**20), VALUES),
    st.tuples(st.just("remove"), st.integers(0, 2**20)),
    st.tuples(st.just("rename"), st.integers(0, 2**20), st.text(max_size=4)),
    st.tuples(st.just("edit sealed"), st.integers(0, 2**20), VALUES),
    st.tuples(st.just("remove sealed"), st.integers(0, 2**20)),
    st.tuples(st.just("swap"), st.integers(0, 2**20)),
    st.tuples(st.just("nest"), st.integers(0, 2**20)),
    st.tuples(st.sampled_from(["empty", "directory", LOOP, "nowhere", "missing", "twice"])),
    st.tuples(st.just("pickle"), st.integers(0, 5)),
)


class Sentinel:
    """Its pickle, once loaded, writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON, those in the JSON of graphprune's entry included."""
    if path:
        yield path
    inner: Any = {}
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, below in inner:
        yield from places(below, (*path, key))


def opened(value: Any) -> Any:
    """A header with graphprune's entry, and the JSON in it, written out."""
    if isinstance(value, dict) and "__metadata__" in value:
        record = json.loads(value["__metadata__"][KEY])
        texts = {key: unpacked(text) for key, text in record.items()}
        return {**value, "__metadata__": {KEY: texts}}
    return value


def unpacked(text: Any) -> Any:
    """The JSON in a text, marked as such; other values as they are."""
    if isinstance(text, str) and text[:1] in ("{", "["):
        return {"json": json.loads(text)}
    return text


def closed(value: Any, seal: bool) -> Any:
    """What `opened` opened, written again as JSON; seal: with the digests that fit."""
    if isinstance(value, dict) and isinstance(value.get("__metadata__"), dict):
        record = value["__metadata__"].get(KEY)
        if isinstance(record, dict):
            record = {
                key: json.dumps(inner["json"]) if isinstance(inner, dict) and "json" in inner
                else inner
                for key, inner in record.items()
            }  # fmt: skip
            if seal:
                record = sealed({key: inner for key, inner in record.items() if key != SEAL})
            return {**value, "__metadata__": {KEY: json.dumps(record)}}
    if seal and isinstance(value, dict) and isinstance(value.get(MADE), dict):
        others = {key: inner for key, inner in value.items() if key != MADE}
        made = {key: inner for key, inner in value[MADE].items() if key != SEAL}
        return {**others, MADE: sealed({**made, "content": json_digest(others)})}
    return value


def edited(path: Path, kind: str, place: int, value: Any) -> bytes:
    """The file with one value of its header changed, removed or under another name."""
    try:
        whole = opened(json_of(path))
    except ValueError:  # CSV, YAML
        return path.read_bytes().replace(b"0.5", json.dumps(value).encode())
    every = list(places(whole))
    *above, last = every[place % len(every)] if every else [None]
    inner = whole
    for part in above:
        inner = inner[part]
    if kind.startswith("remove"):
        del inner[last]
    elif kind == "rename" and isinstance(inner, dict):
        inner[str(value)] = inner.pop(last)
    else:
        inner[last] = value
    text = json.dumps(closed(whole, "sealed" in kind)).encode()
    if path.suffix != ".safetensors":
        return text
    old = path.read_bytes()
    tensors = old[8 + int.from_bytes(old[:8], "little") :]
    return len(text).to_bytes(8, "little") + text + tensors


def mutate(path: Path, mutation: tuple[Any, ...], others: list[Path], sentinel: Path) -> None:
    """Change the file ``path``; others: files of other kinds."""
    kind, *values = mutation
    content = path.read_bytes()
    if kind in ("flip", "flip early") and content:
        place = values[0] % len(content)
        content = content[:place] + bytes([content[place] ^ values[1]]) + content[place + 1 :]
    elif kind == "cut":
        content = content[: values[0] % (len(content) + 1)]
    elif kind == "insert":
        place = values[0] % (len(content) + 1)
        content = content[:place] + values[1] + content[place:]
    elif kind == "length":
        content = values[0].to_bytes(8, "little") + content[8:]
    elif kind == "bytes":
        content = values[0]
    elif kind == "random":
        content = bytes((values[0] * (n + 1) >> (n % 24)) % 256 for n in range(values[0] % 300))
    elif kind in ("edit", "rename", "edit sealed"):
        content = edited(path, kind, *values)
    elif kind.startswith("remove"):
        content = edited(path, kind, values[0], None)
    elif kind == "swap":
        content = others[values[0] % len(others)].read_bytes()
    elif kind == "nest":
        place = values[0] % (len(content) + 1)
        content = content[:place] + b"[" * NESTED + content[place:]
    elif kind == "twice":
        content += content
    elif kind == "pickle":
        content = pickle.dumps(Sentinel(sentinel), protocol=values[0])
    elif kind == "empty":
        content = b""
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == LOOP:
        path.symlink_to(path.name)
    elif kind == "nowhere":
        path.symlink_to("nowhere at all")
    elif kind != "missing":
        path.write_bytes(content)


def restore(path: Path, content: bytes) -> None:
    """Undo `mutate`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(content)
