"""Notes of what made files that cannot say it themselves: figures, tables, records, graphs.

A job writes one note, named after its first output. It holds the digests of all inputs and outputs,
and one of code, params and the recipes of the inputs that have one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphprune.errors import UserError
from graphprune.files import file_digest, read_json, write_json
from graphprune.layout import FORMAT
from graphprune.methods.catalog import method_class
from graphprune.provenance.artifacts import Disk, maker
from graphprune.provenance.code import SCRIPTS, digest_of
from graphprune.provenance.recipes import Recipes

# scripts whose outputs hold numbers that take long to make: what cannot alter them does not count
MEASURING = ("graph", "latency", "removal", "rgp_aspl_graphs", "rgp_aspl_train")


@dataclass(frozen=True)
class JobFacts:
    """What decides the outputs of a job: its script, params and inputs.

    script: the name of its file among the workflow's scripts.
    """

    script: str
    params: Mapping[str, Any]
    inputs: Sequence[str]
    outputs: Sequence[str]

    def digest(self, recipes: Recipes) -> str:
        """SHA-256 over code, params, the looks of the methods, paths and recipes of the inputs."""
        stage = self.script.removesuffix(".py")
        known = {path: recipe.digest for path in self.inputs if (recipe := recipes.beside(path))}
        entries = recipes.config["methods"].values()
        classes = [method_class(entry["method"]) for entry in entries]
        looks = [(cls.name, cls.title, cls.colour, cls.marker) for cls in classes]
        model = self.params.get("model")
        parts = [
            FORMAT,
            # a script names the model by text only
            recipes.model_facts(model) if isinstance(model, str) else None,
            code_of(self.script),
            [] if stage in MEASURING else looks,
            self.params,
            [known.get(path, recipes.results.inside(path)) for path in self.inputs],
        ]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def content_of(path: str, recipes: Recipes, disk: Disk) -> str:
    """The digest of a file's content: what an artifact says of it, or that of its bytes."""
    return disk.said(path)[0] if recipes.of(path) else file_digest(path)


def code_of(script: str) -> str:
    """The digest of the code behind the file ``script`` among the workflow's scripts."""
    whole = script.removesuffix(".py") not in MEASURING
    return digest_of(str(SCRIPTS / script), whole=whole)


def write(job: JobFacts, recipes: Recipes, disk: Disk) -> None:
    """Write the note of a job that has just ended."""
    inside = recipes.results.inside
    note: dict[str, object] = {
        "recipe": job.digest(recipes),
        "inputs": {inside(path): content_of(path, recipes, disk) for path in job.inputs},
        "outputs": {inside(path): file_digest(path) for path in job.outputs},
        **maker(),
    }
    # sealed, but nothing more is to say
    write_json(recipes.results.made(job.outputs[0]), note, {})


def misfit(job: JobFacts, recipes: Recipes, disk: Disk) -> str:
    """Why the outputs of a job on disk are not what they should be; empty if they are."""
    first = job.outputs[0]
    for path in job.outputs:
        if not Path(path).exists():
            return f"{path}: no such file"
    try:
        note, _ = read_json(recipes.results.made(first), f"what made {first}", needs_made=True)
        if note["recipe"] != job.digest(recipes):
            return f"{first}: was made from other results, or in another way"
        for path in dict.fromkeys(job.inputs):
            held = note["inputs"].get(recipes.results.inside(path))
            # scores are removed once they are used
            gone = not Path(path).exists() and recipes.of(path)
            if not gone and content_of(path, recipes, disk) != held:
                return f"{first}: was made from another {path}"
        for path in job.outputs:
            if note["outputs"].get(recipes.results.inside(path)) != file_digest(path):
                return f"{path}: was changed after it was written"
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or first}: {error.strerror}"
    except (KeyError, TypeError, AttributeError):
        return f"{recipes.results.made(first)}: does not say completely what made {first}"
    return ""
