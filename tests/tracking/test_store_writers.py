"""Many processes that record at once, on one SQLite store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tracking_examples import active, deleted, history

from graphprune.tracking import Store

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tracking_examples import child, dense
from graphprune.tracking import Patience, Store, create_store
folder = Path(sys.argv[1])
store = create_store(folder, "demo")
for group in sys.argv[2:]:
    store.record(dense(folder / group, group), [child(folder / group, r, group) for r in (2, 4, 8)])
"""


def test_concurrent_writers_lose_and_double_nothing(root: Path, tmp_path: Path) -> None:
    """16 processes create one new store and write one group of their own and one in common."""
    program = WRITER.format(tests=str(root / "tests"))
    environment = {**os.environ, "PYTHONPATH": str(root)}
    groups = [f"group{number:02d}" for number in range(16)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), group, "common"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for group in groups
    ]  # fmt: skip
    output = [writer.communicate(timeout=300)[0] for writer in writers]
    assert not any(writer.returncode for writer in writers), output
    assert not any(output)  # no chatter from MLflow or its migrations
    store = Store(tmp_path, "demo")
    runs = active(store)
    assert set(runs) == {g + tail for g in (*groups, "common") for tail in
                         ("", "/random/2", "/random/4", "/random/8")}  # fmt: skip
    assert deleted(store) == 0
    for group in (*groups, "common"):
        assert len(history(store, runs[group].info.run_id, "loss")) == 3
