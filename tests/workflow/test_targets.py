"""make's targets: which programs they start, and that no shell reads a value."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from make_targets import (
    ATTACKS,
    OPTIONS,
    STAND_IN,
    caches,
    checkout,
    configure,
    finished,
    make,
    refusal,
    stand_in,
    told,
    write,
)
from workflow_runs import preset

import graphprune
from graphprune.tracking import tracking_uri

# in a package of stand-ins: its other modules are those of the real one
PASSES_ON = f"__path__.append({str(Path(graphprune.__file__).parent)!r})\n__version__ = ''\n"


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    return checkout(root, tmp_path)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_shell_reads_the_results_in_demo(folder: Path, attack: str) -> None:
    configure(folder, attack)
    done = make(folder, "demo")
    assert done.returncode == 0, done.stderr
    assert told(done)[1]["arguments"][-2:] == ["--report", f"{attack}/report.html"]
    assert f"report         {attack}/report.html\n" in done.stdout
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_shell_reads_the_results_in_ui(folder: Path, attack: str) -> None:
    configure(folder, attack)
    line = f"{attack}/mlflow.db: no such file; run make demo first"
    assert refusal(make(folder, "ui")) == line
    finished(folder, attack)
    (call,) = told(make(folder, "ui"))
    uri = f"sqlite:///{folder.resolve()}/{attack}/mlflow.db"
    assert call["environment"]["MLFLOW_BACKEND_STORE_URI"] == uri
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize("target", ["ui", "clean", "demo", "recover", "verify", "archive"])
def test_the_attack_of_the_report_ends_in_one_line(folder: Path, target: str) -> None:
    (folder / "e.yaml").write_text("results: a;touch${IFS}pwned;echo\n")
    before = set(folder.rglob("*"))
    line = refusal(make(folder, target, "CONFIG=e.yaml"))
    assert line.startswith("e.yaml: results is 'a;touch${IFS}pwned;echo'; allowed: ")
    assert set(folder.rglob("*")) == before


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_shell_reads_the_results_in_verify_and_archive(folder: Path, attack: str) -> None:
    configure(folder, attack)
    line = f"{attack}: no such folder; expected the results of a run"
    assert refusal(make(folder, "verify")) == line
    line = f"{attack}/config.json: no such file; expected the configuration of a run in its results"
    assert refusal(make(folder, "archive")) == line
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("way", ["command line", "environment"])
def test_neither_make_nor_a_shell_reads_the_name_of_the_configuration(
    folder: Path, attack: str, way: str
) -> None:
    (folder / attack).write_text("results: mine\n")
    write(folder / "workflow/recover.py", STAND_IN)
    if way == "environment":
        done = make(folder, "recover", CONFIG=attack)
    else:
        done = make(folder, "recover", f"CONFIG={attack}")
    (call,) = told(done)
    assert call["arguments"][-2:] == ["--configfile", attack]
    assert not (folder / "pwned").exists()


def test_a_configuration_that_is_missing_is_named(folder: Path) -> None:
    line = "$(shell id).yaml: No such file or directory; expected a configuration file"
    assert refusal(make(folder, "demo", "CONFIG=$(shell id).yaml")) == line


@pytest.mark.parametrize("name", ["-x.yaml", "a\ntouch pwned\n", "\x1b[2J"])
def test_names_that_a_program_would_misread_are_refused(folder: Path, name: str) -> None:
    line = refusal(make(folder, "demo", f"CONFIG={name}"))
    assert line.startswith(f"CONFIG is {name!r}; allowed: ")


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_other_options_reach_their_programs_as_they_are(folder: Path, attack: str) -> None:
    configure(folder, "mine")
    for program in ("workflow/recover.py", "graphprune/tracking/server.py"):
        write(folder / program, STAND_IN)
    stand_in(folder, "pytest")
    options = {name: f"{attack}{name}" for name in OPTIONS if name != "CONFIG"}
    given = [f"{name}={value}" for name, value in options.items()]

    def arguments(target: str) -> list[str]:
        (call,) = told(make(folder, target, *given))
        return call["arguments"]

    assert arguments("test")[:2] == ["-n", options["WORKERS"]]
    assert arguments("recover") == [
        *("--workflow-profile", f"workflow/profiles/{options['PROFILE']}"),
    ]
    # the program above shadows the package, which the other targets need
    write(folder / "graphprune/__init__.py", "")
    write(folder / "graphprune/tracking/__init__.py", "")
    assert arguments("ui-server") == [
        f"--folder={options['FOLDER']}",
        f"--host={options['HOST']}",
        f"--port={options['PORT']}",
        "--auth",
    ]
    assert not (folder / "pwned").exists()


def test_a_configuration_cannot_have_snakemake_run_code(folder: Path) -> None:
    (folder / "config.yaml").write_text(
        "__use_yte__: true\nresults: mine\nexperiment: ?open('pwned', 'w').name\n"
    )
    for target in ("demo", "ui", "clean"):
        assert refusal(make(folder, target)).startswith("config.yaml: key '__use_yte__' is set; ")
    assert not (folder / "pwned").exists()


def test_verify_and_archive_get_the_results_of_the_configuration(folder: Path) -> None:
    for name in ("verify", "archive"):
        write(folder / f"graphprune/{name}.py", STAND_IN)
    # the rest of the package is that of the checkout around this test
    write(folder / "graphprune/__init__.py", PASSES_ON)
    (folder / "plugin.py").touch()
    (folder / "other.py").touch()
    for own, held in itertools.product(([], ["plugin.py"], ["other.py"]), repeat=2):
        configure(folder, "mine/", plugins=own)
        write(folder / "mine/config.json", json.dumps({"plugins": held}))
        (verify,) = told(make(folder, "verify"))
        # never those that results from elsewhere name
        assert verify["arguments"] == ["mine", *(["--plugins"] if own and own == held else [])]
    configure(folder, "mine/")
    (verify,) = told(make(folder, "verify"))
    assert verify["arguments"] == ["mine"]
    (archive,) = told(make(folder, "archive"))
    assert archive["arguments"] == ["mine", "--output", "mine.zip"]


@pytest.mark.parametrize("target", ["ui", "clean", "demo"])
def test_no_target_runs_a_plugin(folder: Path, target: str) -> None:
    finished(folder, "mine")
    caches(folder)
    (folder / "plugin.py").write_text("open('pwned', 'w').close()\n")
    configure(folder, "mine", plugins=["plugin.py"])
    done = make(folder, target)
    assert done.returncode == 0, done.stderr
    assert not (folder / "pwned").exists()


def test_demo_runs_the_workflow_then_its_report_and_says_where_all_is(folder: Path) -> None:
    configure(folder, "results/mine/")
    done = make(folder, "demo")
    profile = ["--workflow-profile", "workflow/profiles/default"]
    assert [call["arguments"] for call in told(done)] == [
        [*profile, "--cores", "all"],
        [*profile, "--report", "results/mine/report.html"],
    ]
    assert done.stdout.splitlines()[-5:] == [
        "",
        "figures        results/mine/figures/",
        "table          results/mine/metrics.csv",
        "report         results/mine/report.html",
        "MLflow store   results/mine/mlflow.db (look at it with: make ui)",
    ]


def test_another_configuration_and_cores_go_to_snakemake(folder: Path) -> None:
    write(folder / "presets/mine.yaml", 'results: "results/mine"  # here\n')
    done = make(folder, "demo", "CONFIG=presets/mine.yaml", "CORES=2")
    config = ["--configfile", "presets/mine.yaml"]
    run, report = (call["arguments"][2:] for call in told(done))
    assert run == ["--cores", "2", *config]
    assert report == [*config, "--report", "results/mine/report.html"]


def test_demo_ends_with_a_workflow_that_fails(folder: Path) -> None:
    configure(folder, "mine")
    done = make(folder, "demo", STATUS="1")
    assert done.returncode == 2
    assert len(told(done)) == 1
    assert "figures" not in done.stdout


def test_recover_gives_cores_to_this_machine_only(folder: Path) -> None:
    configure(folder, "mine")
    write(folder / "workflow/recover.py", STAND_IN)
    (here,) = told(make(folder, "recover", "CORES=3"))
    assert here["arguments"] == ["--workflow-profile", "workflow/profiles/default", "--cores", "3"]
    (cluster,) = told(make(folder, "recover", "PROFILE=slurm"))
    assert cluster["arguments"] == ["--workflow-profile", "workflow/profiles/slurm"]


def test_snakemake_plans_results_whose_name_has_a_space(root: Path, folder: Path) -> None:
    config = preset(root, folder, results="my results")
    arguments = told(make(folder, "demo", f"CONFIG={config}"))[0]["arguments"]
    shutil.copytree(root / "workflow/profiles/default", folder / "workflow/profiles/default")
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", str(root / "Snakefile"), *arguments, "-n"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert planned.returncode == 0, planned.stderr
    printed = planned.stdout + planned.stderr
    assert "my results/mnist5k/lenet5/seed0/finetune/magnitude/x8/mask.safetensors" in printed


def test_ui_prints_the_address_of_the_view_and_becomes_mlflow(folder: Path) -> None:
    finished(folder, "my results")
    done = make(folder, "ui", "PORT=5001")
    assert done.stderr == ""
    view, _ = done.stdout.splitlines()
    assert view.startswith(
        "the comparison at a glance: http://127.0.0.1:5001/#/experiments/7/runs?"
    )
    (call,) = told(done)
    at = ["--host", "127.0.0.1", "--port", "5001"]
    assert call["arguments"] == ["ui", "--workers", "1", *at]
    assert call["environment"]["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert call["environment"]["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    # which the package sets for itself and which would hide what the server says
    assert "MLFLOW_LOGGING_LEVEL" not in call["environment"]


def test_ui_of_a_copied_folder_shows_its_own_artifacts(folder: Path) -> None:
    database = finished(folder, "mine") / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id, artifact_location)")
        connection.execute("CREATE TABLE experiment_tags (experiment_id, key, value)")
        connection.execute("CREATE TABLE runs (artifact_uri)")
        connection.execute("INSERT INTO experiments VALUES (7, 'file:///nowhere/mlartifacts')")
        connection.execute("INSERT INTO runs VALUES ('file:///nowhere/mlartifacts/a/artifacts')")
    done = make(folder, "ui")
    assert len(told(done)) == 1
    assert done.stderr.splitlines() == [
        f"{database.parent} was copied or moved from /nowhere; its record now names its own "
        "artifacts"
    ]
    with closing(sqlite3.connect(database)) as connection:
        (uri,) = connection.execute("SELECT artifact_uri FROM runs").fetchone()
    assert uri == f"{(database.parent / 'mlartifacts').as_uri()}/a/artifacts"
    assert make(folder, "ui").stderr == ""


def test_sqlite_opens_a_store_whose_folder_has_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("my results").mkdir()
    with sqlalchemy.create_engine(tracking_uri("my results")).connect() as connection:
        connection.execute(sqlalchemy.text("create table here (number integer)"))
    assert Path("my results/mlflow.db").stat().st_size > 0


def test_ui_shows_the_store_that_the_environment_names(folder: Path) -> None:
    configure(folder, "mine")
    uri = "postgresql://anna:secret@db.example.org/mlflow"
    write(folder.parent / "stand-ins/mlflow/__main__.py", TELLS_A_FILE)
    done = make(folder, "ui", MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "told").read_text())
    assert told["store"] == uri
    # other users see command lines
    assert "secret" not in " ".join(told["arguments"])


TELLS_A_FILE = """
import json, os, sys
store = os.environ["MLFLOW_BACKEND_STORE_URI"]
with open("told", "w") as stream:
    json.dump({"arguments": sys.argv, "store": store}, stream)
print(f"listening; the store is {store}")
print("cannot connect as 'anna' with 'secret'", file=sys.stderr)
sys.exit(3 if "fails" in store else 0)
"""


def test_what_mlflow_says_in_ui_is_shown_without_secrets(folder: Path) -> None:
    configure(folder, "mine")
    write(folder.parent / "stand-ins/mlflow/__main__.py", TELLS_A_FILE)
    uri = "postgresql://anna:secret@db.example.org/fails?sslpassword=hidden"
    done = make(folder, "ui", MLFLOW_TRACKING_URI=uri)
    assert "Error 3" in done.stderr
    assert "listening; the store is postgresql://db.example.org/fails\n" in done.stdout
    assert "cannot connect as '***' with '***'\n" in done.stderr
    for secret in ("anna", "secret", "hidden"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://mlflow.example.org:5000", "http://mlflow.example.org:5000"),
        ("https://anna:secret@mlflow.example.org/a", "https://mlflow.example.org/a"),
        ("https://anna:sec/r@et?@mlflow.example.org", "https://***"),
        ("https://secret@mlflow.example.org", "https://mlflow.example.org"),
        ("https://mlflow.example.org/?token=secret", "https://mlflow.example.org/"),
        ("https://mlflow.example.org?a=1&api_key=secret", "https://mlflow.example.org"),
        ("https://mlflow.example.org#secret", "https://mlflow.example.org"),
    ],
)
def test_the_server_of_the_record_is_named_without_secrets(
    folder: Path, uri: str, address: str
) -> None:
    done = make(folder, "ui", MLFLOW_TRACKING_URI=uri)
    assert (done.returncode, done.stdout) == (0, f"the record is on the server {address}\n")


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("postgresql://anna:secret@db.example.org/a?x=secret", "postgresql://db.example.org/a"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
    ],
)
def test_demo_names_the_store_without_secrets(folder: Path, uri: str, place: str) -> None:
    configure(folder, "mine")
    done = make(folder, "demo", MLFLOW_TRACKING_URI=uri)
    assert done.stdout.endswith(f"MLflow store   {place} (look at it with: make ui)\n")


@pytest.mark.parametrize("port", ["0", "65536", "5000;id", "9" * 5000])
def test_a_port_that_is_none_is_refused(folder: Path, port: str) -> None:
    finished(folder, "mine")
    line = refusal(make(folder, "ui", f"PORT={port}"))
    assert line.startswith("PORT is '")
    assert line.endswith("; allowed: 1 to 65535")


@pytest.mark.parametrize("note", ["", "[]", '{"experiment_id": "7\\nhttp://elsewhere"}', "{}"])
def test_a_damaged_note_of_the_experiment_is_refused(folder: Path, note: str) -> None:
    results = finished(folder, "mine")
    (results / "tracking/store.json").write_text(note)
    line = "mine/tracking/store.json: names no experiment; remove the file and run make demo"
    assert refusal(make(folder, "ui")) == line
