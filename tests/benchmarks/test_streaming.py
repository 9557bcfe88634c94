"""The benchmark of streamed folders: what it reads, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmark_scripts import benchmark

from graphprune.data.streamed import folders


def test_both_readers_see_every_image_and_an_epoch_needs_no_earlier_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streaming = benchmark(root, "streaming")
    monkeypatch.setattr(streaming, "BATCH", 8)
    archive, jpegs = tmp_path / "few.npz", tmp_path / "jpegs"
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (20, 3, 32, 32)).astype(np.uint8)
    np.savez(archive, train_images=images, train_labels=np.arange(20) % 10)
    streaming.make(jpegs, archive, 100)
    streaming.prepare(jpegs)
    seen = {
        name: [(epoch, len(batch)) for epoch, batch in reader(jpegs, 0, range(1, 2))]
        for name, reader in streaming.READERS.items()
    }
    # a tenth is the validation split, which the plain reader does not know
    assert seen["ours"] == [(1, 8)] * 11 + [(1, 2)]
    assert seen["plain"] == [(1, 8)] * 12 + [(1, 4)]
    first, second = (
        [batch for _, batch in streaming.ours(jpegs, 0, range(start, 2))][-12:] for start in (0, 1)
    )
    assert all(bool((one == other).all()) for one, other in zip(first, second, strict=True))
    folders.register(None)
