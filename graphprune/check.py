"""Try a plug-in before a run does: ``python -m graphprune.check plugin.py``.

Every method, network and dataset that the file adds is used once on something tiny. One line says
what is wrong with it, another how long it took. The exit status is 0 if nothing is wrong.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from graphprune.data.catalog import DATASETS
from graphprune.errors import UserError, shown
from graphprune.methods.base import Result
from graphprune.methods.catalog import METHODS, build, has_option, method_class
from graphprune.models.catalog import MODELS
from graphprune.plugins import Catalog, load_plugin

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.methods.base import Method

Shape = tuple[int, ...]
Faults = Iterator[str]

# those of the built-in datasets; a network that takes none of them is tried on the larger ones
SHAPES: tuple[Shape, ...] = ((1, 8, 8), (1, 28, 28), (3, 32, 32))
LARGER: tuple[Shape, ...] = ((1, 64, 64), (3, 64, 64), (1, 224, 224), (3, 224, 224))
CLASSES = 5
CATALOGS: tuple[Catalog[Any], ...] = (METHODS, MODELS, DATASETS)
EXAMPLES = 40


def faults_of_method(name: str) -> Faults:
    """What is wrong with a method that can be loaded, a sentence each."""
    cls = method_class(name)
    inputs, targets = _examples(cls.examples)
    offered: dict[str, object] = {"seed": 1, "threads": 1}
    options = {key: value for key, value in offered.items() if has_option(cls, key)}
    for sparsity in (0.5, 0.75) if cls.per_sparsity else (None,):
        if sparsity is not None:
            options["sparsity"] = sparsity
        yield from _run_twice(build(name, **options), inputs, targets)
    if cls.divisible and inputs is not None:
        yield from _parts_differ(build(name, **options), inputs, targets)


def faults_of_model(name: str) -> Faults:
    """What is wrong with a network that can be loaded, a sentence each."""
    shapes = dict.fromkeys([*SHAPES, *_shapes_of_plugins()])
    fitting = [shape for shape in shapes if not MODELS[name].misfit(shape)]
    fitting = fitting or [shape for shape in LARGER if not MODELS[name].misfit(shape)][:1]
    if not fitting:
        yield f"it fits none of the inputs {', '.join(map(str, [*shapes, *LARGER]))}"
    for shape in fitting:
        for fault in _caught(_faults_on(name, shape)):
            yield f"inputs {shape}: {fault}"


def faults_of_dataset(name: str, folder: Path) -> Faults:
    """What is wrong with a dataset that can be loaded, a sentence each."""
    from graphprune import data

    first, second = (data.load(name, folder, download=False) for _ in range(2))
    if first.digest != second.digest:
        yield "is not deterministic: loaded twice, it has other images or labels"
    for part, split in first.splits().items():
        absent = set(range(first.num_classes)) - set(split.labels.tolist())
        if absent:
            yield f"split {part} has no example of the classes {sorted(absent)}"
    with TemporaryDirectory(prefix="graphprune-") as scratch:
        data.save(Path(scratch) / "data.safetensors", first)


def _run_twice(method: Method, inputs: Tensor | None, targets: Tensor | None) -> Faults:
    import torch

    from graphprune.methods.contract import violations

    model = _network()
    before = copy.deepcopy(model)
    results: list[Result] = []
    for draw in (1, 2):
        # a method that draws from the global generator is not held by its seed
        torch.manual_seed(draw)
        results.append(_run(method, model, inputs, targets))
        yield from _changes(before, model)
        if wrong := violations(model, results[-1]):
            yield from wrong
            return
        model = copy.deepcopy(before)
    first, second = results
    for name, score in first.scores.items():
        if not _same(score, second.scores[name]):
            yield f"is not deterministic: run twice, it scores {name} differently"
            break
    if method.decides_mask:
        for name, score in first.scores.items():
            if not ((score == 0) | (score == 1)).all():
                yield f"decides its mask, but score of {name} has values other than 0 and 1"
                break
    yield from _unreadable(method, first)


def _run(method: Method, model: nn.Module, inputs: Tensor | None, targets: Tensor | None) -> Result:
    import torch

    model.eval()
    with torch.enable_grad():
        return method.run(model, inputs, targets)


def _parts_differ(method: Method, inputs: Tensor, targets: Tensor | None) -> Faults:
    model = _network()
    whole = _run(method, model, inputs, targets)
    parts = [method.run_part(model, inputs, part, 3, targets) for part in range(3)]
    joined = method.gather(parts)
    for name, score in whole.scores.items():
        if not _same(score, joined.scores[name]):
            yield f"is divisible, but its parts, gathered, score {name} differently"
            return


def _unreadable(method: Method, result: Result) -> Faults:
    """Whether the workflow's next job would read the result as it is."""
    from graphprune.methods import results

    with TemporaryDirectory(prefix="graphprune-") as scratch:
        path = Path(scratch) / "scores.safetensors"
        results.save(path, result, method.name, seconds=0.0)
        read = results.load(path).result
    for name, score in result.scores.items():
        if not _same(score, read.scores[name]):
            yield f"score of {name} differs after it was written and read"


def _changes(before: nn.Module, after: nn.Module) -> Faults:
    """What a method left behind in the model."""
    new, old = after.state_dict(), before.state_dict()
    for name in sorted(old.keys() ^ new.keys()):
        yield f"changed the model: {name} was added or removed"
    changed = [name for name in old if name in new and not _same(old[name], new[name])]
    if changed:
        more = f" and {len(changed) - 1} more have" if changed[1:] else " has"
        yield f"changed the model: {changed[0]}{more} other values than before"
    for name, parameter in after.named_parameters():
        if parameter.grad is not None:
            yield f"left a gradient in {name}; torch.autograd.grad leaves none"
            break
    frozen = [name for name, p in after.named_parameters() if not p.requires_grad]
    if frozen:
        yield f"changed the model: {frozen[0]} no longer requires a gradient"
    for module in after.modules():
        kinds = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks,
                 module._backward_pre_hooks)  # fmt: skip
        if any(kinds):
            yield f"left a hook on a {type(module).__name__}"
            break


def _faults_on(name: str, shape: Shape) -> Faults:
    import torch

    from graphprune.models import build

    model, same, other = (build(name, shape, CLASSES, seed=seed) for seed in (1, 1, 2))
    if not _same_weights(model, same):
        yield "is not deterministic: built twice with one seed, it has other weights"
    if _same_weights(model, other):
        yield "has the same weights with every seed; torch's generator is seeded before"
    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = model.eval()(images)
        again = model(images)
    if not isinstance(outputs, torch.Tensor) or outputs.shape != (3, CLASSES):
        given = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs)
        yield f"gives {given} for 3 examples of {CLASSES} classes; expected (3, {CLASSES})"
        return
    if outputs.dtype != torch.float32:
        yield f"gives logits of {outputs.dtype}; expected torch.float32"
    elif not torch.isfinite(outputs).all():
        yield "gives logits that are NaN or infinite"
    elif not torch.equal(outputs, again):
        yield "is not deterministic: in evaluation mode it gives other logits a second time"
    else:
        yield from _stages(name, model, images, outputs)


def _stages(name: str, model: nn.Module, images: Tensor, outputs: Tensor) -> Faults:
    """What the stages of the workflow cannot do with a network, a sentence each."""
    import torch

    from graphprune import compaction, neural_graph
    from graphprune.masks import prune
    from graphprune.methods.scoring import score
    from graphprune.models import networks

    shape = tuple(images.shape[1:])
    with TemporaryDirectory(prefix="graphprune-") as scratch:
        path = Path(scratch) / "checkpoint.safetensors"
        networks.save(path, model.state_dict(), networks.Identity("", name, shape, CLASSES, 2))
        with torch.no_grad():
            if not torch.equal(networks.load(path)[0](images), outputs):
                yield "gives other logits after its state dict was saved and loaded"
    # every network is traced: the calibration examples are kept with the values of its layers
    yield from _caught(_tried(lambda: neural_graph.trace(model, shape)))
    masks = prune(score(model, "magnitude"), 0.5)
    yield from _caught(_tried(lambda: compaction.savings(model, masks, shape, batch_sizes=())))
    targets = torch.arange(len(images)) % CLASSES
    torch.nn.functional.cross_entropy(model.train()(images), targets).backward()


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal, NaN where the other is."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(_same(a, b) for a, b in pairs)


def _network() -> nn.Module:
    """Two convolutions with batch norm and two linear layers, seeded, its norms with a history."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 6, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24, 12),
            nn.ReLU(),
            nn.Linear(12, CLASSES),
        )
        model(torch.rand(EXAMPLES, 1, 8, 8))
    return model


def _examples(kind: str) -> tuple[Tensor | None, Tensor | None]:
    import torch

    if kind == "none":
        return None, None
    generator = torch.Generator().manual_seed(0)
    count = EXAMPLES if kind == "training" else CLASSES
    images = torch.rand(count, 1, 8, 8, generator=generator)
    return images, torch.arange(count) % CLASSES


def _shapes_of_plugins() -> list[Shape]:
    """The image shapes of the datasets that plug-ins have added, if a network takes them."""
    return [DATASETS[name].input_shape for name in DATASETS if DATASETS.source(name)]


def _tried(call: Callable[[], object]) -> Faults:
    """No fault, unless ``call`` raises."""
    call()
    yield from ()


def _caught(faults: Iterable[str]) -> Faults:
    """``faults``, the last of which is the exception that ended them; a plug-in may raise any."""
    try:
        yield from faults
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split()) or "no reason given"
        yield reason if isinstance(error, UserError) else f"{type(error).__name__}: {reason}"


def check(thing: str, folder: Path) -> bool:
    """Print a line for everything that a plug-in adds; whether all of it can be used.

    thing: a plug-in file, or the name of a method, a model or a dataset that is built in or comes
    with an installed package. folder: ``data.folder`` of a configuration, for datasets.

    Raises UserError if the file does not load, or if there is no such file and no such name.

    >>> check("examples/method.py", Path("data"))
    method active_inputs: ok, 0.17 s
    True
    """
    with redirect_stdout(sys.stderr):
        wanted = _in_file(thing) if thing.endswith(".py") else _called(thing)
    faults: dict[str, Callable[[str], Faults]] = {
        "method": faults_of_method,
        "model": faults_of_model,
        "dataset": lambda name: faults_of_dataset(name, folder),
    }
    sound = [_say(kind, name, faults[kind]) for kind, name in wanted]
    return all(sound)


def _in_file(path: str) -> list[tuple[str, str]]:
    """Kind and name of everything that the plug-in file adds."""
    source = str(Path(load_plugin(path).__file__ or ""))
    added = [(one.kind, name) for one in CATALOGS for name in one if one.source(name) == source]
    if not added:
        raise UserError(f"{path}: adds no method, model or dataset")
    return added


def _called(name: str) -> list[tuple[str, str]]:
    """Kind and name of everything that is called ``name``."""
    called = [(one.kind, name) for one in CATALOGS if name in one]
    if not called:
        raise UserError(
            f"{shown(name)} is no plug-in file, whose name ends in .py, and no method, model or "
            "dataset"
        )
    return called


def _say(kind: str, name: str, faults: Callable[[str], Faults]) -> bool:
    start = time.perf_counter()
    # what a plug-in prints is kept apart from what is said of it
    with redirect_stdout(sys.stderr):
        found = list(dict.fromkeys(_caught(faults(name))))
    seconds = time.perf_counter() - start
    what = f"{kind} {name}: "
    for fault in found:
        print(what + fault.removeprefix(what))
    print(f"{what}{'not usable' if found else 'ok'}, {seconds:.2f} s", flush=True)
    return not found


def main(words: Sequence[str] | None = None) -> int:
    """Check the plug-ins named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m graphprune.check",
        description="Use everything that plug-ins add on something tiny, and say what is wrong.",
    )
    parser.add_argument(
        "plugins",
        nargs="+",
        metavar="plugin.py",
        help="a plug-in file, or the name of a method, a model or a dataset",
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder for datasets (default: data)"
    )
    options = parser.parse_args(words)
    sound = True
    for path in options.plugins:
        try:
            sound = check(path, options.data) and sound
        except UserError as error:
            print(error)
            sound = False
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
