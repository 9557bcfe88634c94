"""A streamed folder of JPEGs beside torchvision's ImageFolder: memory, images a second, order.

    python benchmarks/streaming.py data/cifar10_subset.npz --images 20000

Makes two folders of JPEGs of 500 x 375 pixels, random parts of the CIFAR-10 images in the archive,
the second with a tenth of the images. Each epoch is read in a process of its own, with the same
transforms (random resized crop to 224, mirroring, scaling), batches of 64 and two workers. Memory
is the most that the process and its workers had together, shared pages counted once (PSS). For the
order a process is killed in its first epoch; another goes on with the second epoch, with another
number of workers, and must give the same batches as one that was not killed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tables import table
from torch import Tensor
from torch.utils.data import DataLoader

from graphprune import data
from graphprune.data import feeding
from graphprune.data.augmentation import Augmenter
from graphprune.data.streamed import folders
from graphprune.torchvision_import import torchvision

WIDTH, HEIGHT, BATCH, SIZE = 500, 375, 64, 224
CLASSES = 10


def make(root: Path, archive: Path, count: int) -> None:
    """``count`` training images, and 20 for the test."""
    with np.load(archive, allow_pickle=False) as arrays:
        images, labels = arrays["train_images"], arrays["train_labels"]
    random = np.random.RandomState(0)
    for split, many in (("train", count), ("test", 20)):
        for label in range(CLASSES):
            (root / split / str(label)).mkdir(parents=True)
        of_class = [np.flatnonzero(labels == label) for label in range(CLASSES)]
        for number in range(many):
            label = number % CLASSES
            image = Image.fromarray(images[random.choice(of_class[label])].transpose(1, 2, 0))
            left, top = random.randint(0, 8, 2)
            part = (left, top, left + 24, top + 18)
            scaled = image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, part)
            scaled.save(root / split / str(label) / f"{number:06d}.jpg", quality=90)


def prepare(root: Path) -> float:
    """Write the manifest; seconds."""
    start = time.perf_counter()
    keys = {"path": str(root), "classes": CLASSES, "size": SIZE}
    folders.register({"folders": {"jpegs": keys}})
    data.save(root / "manifest.safetensors", data.load("jpegs"))
    return time.perf_counter() - start


def ours(root: Path, workers: int, epochs: range) -> Iterator[tuple[int, Tensor]]:
    """Epoch and images of each batch, as a training sees them that begins with ``epochs``."""
    split = data.read(root / "manifest.safetensors", workers=workers).train
    augment = Augmenter("resized_crop_flip", 0, len(split))
    generator = torch.Generator().manual_seed(0)
    for epoch in range(epochs.stop):
        order = torch.randperm(len(split), generator=generator).split(BATCH)
        if epoch in epochs:
            for images, _ in feeding.batches(split, order, torch.device("cpu"), augment, epoch):
                yield epoch, images


def plain(root: Path, workers: int, epochs: range) -> Iterator[tuple[int, Tensor]]:
    """The same with torchvision's classes alone, on as many images of the training split."""
    v2 = torchvision("transforms.v2")
    described = data.describe("imagenet")
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE), v2.RandomHorizontalFlip(), v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True), v2.Normalize(described.mean, described.std),
        ]
    )  # fmt: skip
    images = torchvision("datasets").ImageFolder(str(root / "train"), transform)
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=workers)
    for epoch in epochs:
        for batch, _ in loader:
            yield epoch, batch


READERS = {"ours": ours, "plain": plain}


def child(reader: str, root: Path, workers: int, first: int, last: int, digests: bool) -> None:
    """Read the epochs; prints a line a batch where digests are wanted, and the speed at the end."""
    torch.set_num_threads(1)
    count, start = 0, time.perf_counter()
    for epoch, images in READERS[reader](root, workers, range(first, last)):
        count += len(images)
        if digests:
            print(epoch, hashlib.sha256(images.numpy().data).hexdigest(), flush=True)
    print(json.dumps({"images": count, "seconds": time.perf_counter() - start}))


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measured(reader: str, root: Path) -> dict[str, float]:
    """Images a second and the peak of the PSS, in MB, of a process that reads one epoch."""
    process, peak = started(reader, root, 2, 0, 1, 0), 0
    while process.poll() is None:
        peak = max(peak, sum(map(pss, [process.pid, *children(process.pid)])))
        time.sleep(0.1)
    assert process.stdout is not None
    result = json.loads(process.stdout.read())
    return {"images a second": result["images"] / result["seconds"], "peak MB": peak / 1000}


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def pss(pid: int) -> int:
    """Kilobytes; 0 where the process has ended."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("Pss:")), 0)


def same_after_a_kill(root: Path) -> bool:
    """Whether the second epoch after a kill in the first is that of an unbroken training."""
    killed = started("ours", root, 2, 0, 2, 1)
    assert killed.stdout is not None
    before = [killed.stdout.readline() for _ in range(2)]
    killed.kill()
    killed.wait()
    resumed, whole = (
        started("ours", root, workers, first, 2, 1).communicate()[0].splitlines()[:-1]
        for workers, first in ((1, 1), (2, 0))
    )
    second = [line for line in whole if line.startswith("1 ")]
    return [line.strip() for line in before] == whole[:2] and resumed == second and len(second) > 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--images", type=int, default=20_000, help="in the larger folder")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows: list[dict[str, object]] = []
        for count in (arguments.images // 10, arguments.images):
            root = Path(folder, str(count))
            make(root, arguments.archive, count)
            seconds = prepare(root)
            # in turns, for the machine may have other work
            runs = [(r, measured(r, root)) for _ in range(arguments.repeats) for r in READERS]
            row: dict[str, object] = {"images": count, "seconds to prepare": seconds}
            for reader in READERS:
                found = [run for name, run in runs if name == reader]
                for key in found[0]:
                    row[f"{reader}, {key}"] = max(run[key] for run in found)
            rows.append(row)
        table(rows)
        print("order after a kill is the same:", same_after_a_kill(Path(folder, str(count // 10))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        kind, place, *numbers = sys.argv[2:]
        processes, start_at, end, shown = map(int, numbers)
        child(kind, Path(place), processes, start_at, end, bool(shown))
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        main()
