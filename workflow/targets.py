"""What the Makefile's targets do with a configuration. No shell reads any of its values.

    CONFIG=workflow/presets/tiny.yaml CORES=2 python workflow/targets.py run

The make variables CONFIG, CORES, PORT and PROFILE come through the environment. The targets are the
functions in ``TARGETS``; those that start another program become it (exec), so that signals and the
exit status are the program's. Of them only ``run`` and ``verify`` load plug-ins, those of CONFIG.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

# as it came: the import of graphprune.tracking adds settings of MLflow
ENVIRONMENT = dict(os.environ)
# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from graphprune.configuration.complete import plugin_files  # noqa: E402
from graphprune.configuration.folders import results_folder  # noqa: E402
from graphprune.configuration.reading import read  # noqa: E402
from graphprune.errors import UserError, shown  # noqa: E402
from graphprune.files import read_json  # noqa: E402
from graphprune.jobs.redaction import guard, public, redacted, redactor  # noqa: E402
from graphprune.layout import MARKER, ResultPaths  # noqa: E402
from graphprune.tracking.address import is_server, tracking_uri  # noqa: E402
from graphprune.tracking.relocation import relocate  # noqa: E402
from graphprune.tracking.view import path as view_path  # noqa: E402

DEFAULT_CONFIG = "config.yaml"


def setting(name: str, default: str) -> str:
    return ENVIRONMENT.get(name) or default


def result_paths() -> ResultPaths:
    """Where the results of CONFIG lie."""
    config = setting("CONFIG", DEFAULT_CONFIG)
    if config.startswith("-") or not config.isprintable():
        raise UserError(
            f"CONFIG is {shown(config)}; allowed: a path in printable letters that begins with no -"
        )
    keys = read(config)
    try:
        return ResultPaths(results_folder(keys))
    except UserError as error:
        raise UserError(f"{config}: {error}") from error


def run() -> NoReturn:
    """Run the workflow."""
    result_paths()
    show_and_execute([*snakemake(), "--cores", setting("CORES", "all"), *configfile()])


def report() -> NoReturn:
    """Write the report of a workflow that has run."""
    show_and_execute([*snakemake(), *configfile(), "--report", result_paths().report])


def places() -> None:
    """Say where the outputs are."""
    paths = result_paths()
    given = setting("MLFLOW_TRACKING_URI", "")
    store = public(given) if given else paths.database
    print(f"\nfigures        {paths.figures}/")
    print(f"table          {paths.units_csv}")
    print(f"report         {paths.report}")
    print(f"MLflow store   {store} (look at it with: make ui)")


def recover() -> NoReturn:
    """Finish a run whose Snakemake was killed."""
    result_paths()
    profile = setting("PROFILE", "default")
    # the other profiles give a number of jobs instead
    cores = ["--cores", setting("CORES", "all")] if profile == "default" else []
    options = ["--workflow-profile", f"workflow/profiles/{profile}", *cores, *configfile()]
    show_and_execute([sys.executable, "workflow/recover.py", *options])


def verify() -> NoReturn:
    """Say what in the results does not belong there."""
    paths, config = result_paths(), setting("CONFIG", DEFAULT_CONFIG)
    # results may come from elsewhere: what they name runs only if the configuration names the same
    own = plugin_files(read(config).get("plugins"), Path(config).parent)
    loads = own and own == read_json(paths.configuration, "a configuration")[0].get("plugins")
    options = ["--plugins"] if loads else []
    execute([sys.executable, "-m", "graphprune.verify", paths.results, *options])


def archive() -> NoReturn:
    """Pack the results, and what makes them again, into one file."""
    results = result_paths().results
    output = f"{results}.zip"
    execute([sys.executable, "-m", "graphprune.archive", results, "--output", output])


def ui() -> None:
    """Show the experiment record in MLflow's user interface."""
    given = setting("MLFLOW_TRACKING_URI", "")
    if is_server(given):
        print(f"the record is on the server {public(given)}")
        return
    paths = result_paths()
    if not given and not Path(paths.database).is_file():
        raise UserError(f"{paths.database}: no such file; run make demo first")
    port = setting("PORT", "5000")
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise UserError(f"PORT is {shown(port)}; allowed: 1 to 65535")
    note = Path(paths.record("store"))
    if note.is_file():
        address = f"http://127.0.0.1:{port}/{view_path(experiment(note))}"
        print(f"the comparison at a glance: {address}")
    store = tracking_uri(paths.results)
    relocate(paths.results, store)
    # the store's address may hold a password: it is in no command line
    environment = {
        **ENVIRONMENT,
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1"]
    sys.stdout.flush()
    # nor does MLflow show it in an error
    for stream in (sys.stdout, sys.stderr):
        pipe = redactor(stream.buffer, environment).stdin
        assert pipe is not None
        os.dup2(pipe.fileno(), stream.fileno())
    execute([*command, "--host", "127.0.0.1", "--port", port], environment)


def clean() -> None:
    """Remove the results of CONFIG."""
    remove(result_paths().results)


def snakemake() -> list[str]:
    return [sys.executable, "-m", "snakemake", "--workflow-profile", "workflow/profiles/default"]


def configfile() -> list[str]:
    """Snakemake's option for CONFIG; the Snakefile itself names the default."""
    config = setting("CONFIG", DEFAULT_CONFIG)
    return [] if config == DEFAULT_CONFIG else ["--configfile", config]


def experiment(note: Path) -> str:
    """The number of the experiment that the workflow has noted in the file ``note``."""
    try:
        number = json.loads(note.read_text())["experiment_id"]
        if not str(number).isdecimal():
            raise ValueError(number)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{note}: names no experiment; remove the file and run make demo"
        ) from error
    return str(number)


def remove(results: str) -> None:
    """Remove a folder of results, if it is one.

    The marker goes last, so that a removal that was interrupted can be repeated.

    Raises UserError, and removes nothing, if the folder has no marker or lies behind a symbolic
    link.
    """
    if not os.path.lexists(results):
        return
    folder, what = Path(results).resolve(), f"results is {shown(results)}"
    if str(folder) != os.path.abspath(results):
        raise UserError(
            f"{what}, which a symbolic link leads to {folder}; nothing was removed; write the path "
            "without links in the configuration, or remove the folder yourself"
        )
    marker = folder / MARKER
    try:
        if not marker.is_file():
            raise UserError(
                f"{what}, a folder without {MARKER}, which every run leaves in its results; "
                "nothing was removed; remove the folder yourself if nothing in it is needed"
            )
        for entry in folder.iterdir():
            if entry.is_symlink() or not entry.is_dir():
                if entry != marker:
                    entry.unlink()
            else:
                shutil.rmtree(entry)
        marker.unlink()
        folder.rmdir()
        print(f"removed {shown(results)}")
    except OSError as error:
        raise UserError(f"{what}; {error.filename} stays in it: {error.strerror}") from error


def show_and_execute(command: list[str]) -> NoReturn:
    """Become another program, and say which, as make does."""
    print(shlex.join(command))
    execute(command)


def execute(command: list[str], environment: Mapping[str, str] = ENVIRONMENT) -> NoReturn:
    """Become another program."""
    sys.stdout.flush()
    os.execve(command[0], command, environment)


TARGETS: dict[str, Callable[[], None]] = {
    one.__name__: one for one in (run, report, places, recover, verify, archive, ui, clean)
}


def main(arguments: list[str]) -> int:
    guard()
    try:
        if len(arguments) != 1 or arguments[0] not in TARGETS:
            raise UserError(f"targets: one of them is needed: {', '.join(TARGETS)}")
        TARGETS[arguments[0]]()
    except UserError as error:
        print(redacted(str(error)), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
