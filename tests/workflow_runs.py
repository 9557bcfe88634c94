"""The real Snakefile run in a folder, and configurations made from the tiny preset."""

import os
import subprocess
import sys

import yaml


def snakemake(root, folder, *arguments, environment=None):
    """Run the Snakefile of ``root`` in ``folder``; the finished process with what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    return subprocess.run(
        [*command, "--directory", str(folder), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def preset(root, folder, **changes):
    """The path of a configuration in ``folder``: the tiny preset with ``changes``."""
    config = yaml.safe_load((root / "workflow/presets/tiny.yaml").read_text())
    config.update(changes)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)
