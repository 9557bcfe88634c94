"""What every script of the workflow shares, run as Snakemake runs it: a process of its own."""

import os
import subprocess
import sys
import textwrap

import pytest
from benchmark_scripts import benchmark

from graphprune.jobs import failures


def run(root, folder, body, threads=1, environment=None):
    script = folder / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            from types import SimpleNamespace
            sys.path.insert(0, {scripts!r})
            from job import job

            class Wildcards(list):
                pass

            snakemake = SimpleNamespace(
                threads={threads}, log=[{log!r}], rule="train", wildcards=Wildcards(["digits"]),
                output=["{folder}/out/file"], config={{}},
            )
            with job(snakemake) as log:
            {body}
            """
        ).format(
            scripts=str(root / "workflow/scripts"),
            log=str(folder / "log"),
            folder=folder,
            threads=threads,
            body=textwrap.indent(textwrap.dedent(body), " " * 4),
        )
    )
    return subprocess.run(
        [sys.executable, script],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured_by_torch_numba_and_blas(root, tmp_path, threads):
    body = """
    import numba, scipy.linalg, threadpoolctl, torch
    print(torch.get_num_threads(), numba.get_num_threads())
    print(*{pool["num_threads"] for pool in threadpoolctl.threadpool_info()})
    """
    done = run(root, tmp_path, body, threads)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(threads)] * 3


def test_every_attempt_says_where_it_ran_and_whether_it_came_to_an_end(root, tmp_path):
    run(root, tmp_path, "raise RuntimeError('boom')")
    run(root, tmp_path, "log.info('working')")
    lines = (tmp_path / "log").read_text().splitlines()
    assert sum(" INFO started on " in line for line in lines) == 2
    assert sum(" INFO finished after " in line for line in lines) == 1
    assert " INFO finished after " in lines[-1]
    assert "RuntimeError: boom" in lines


def test_the_last_line_says_the_peak_of_the_memory_and_is_known_as_the_end(root, tmp_path):
    # 300 MB that are gone at the end
    run(root, tmp_path, "held = b'x' * 300_000_000; del held")
    log = tmp_path / "results/logs/units/digits-mlp-seed0-finetune-random.log"
    log.parent.mkdir(parents=True)
    (tmp_path / "log").rename(log)
    assert failures.has_finished([str(log)])
    ((stage, dataset, network, memory, seconds),) = benchmark(root, "resources").measured(
        tmp_path / "results"
    )
    assert (stage, dataset, network) == ("train", "digits", "mlp")
    assert 300 < memory < 600
    assert 0 < seconds < 60


def test_a_user_error_is_one_line(root, tmp_path):
    body = """
    from graphprune.errors import UserError
    raise UserError("epochs is -1; allowed: 0 or more")
    """
    done = run(root, tmp_path, body)
    assert done.returncode == 1
    assert done.stderr == "train digits: epochs is -1; allowed: 0 or more\n"


@pytest.mark.parametrize(
    "error",
    [
        "OSError(28, 'No space left on device')",
        "RuntimeError('IoError: No space left on device')",
        "ValueError('cannot write') from OSError(28, 'whatever')",
    ],
)
def test_a_full_disk_is_one_line(root, tmp_path, error):
    done = run(root, tmp_path, f"raise {error}")
    assert done.returncode == 1
    assert done.stderr == (
        f"train digits: {tmp_path}/out: No space left on device; "
        "make room or make it writable, then run again\n"
    )


def test_what_a_killed_attempt_left_is_removed(root, tmp_path):
    (tmp_path / "out").mkdir()
    for name in (".123.file", ".123.other", ".hidden.file"):
        (tmp_path / "out" / name).touch()
    assert run(root, tmp_path, "pass").returncode == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".123.other", ".hidden.file"}


def test_an_unexpected_error_keeps_its_traceback(root, tmp_path):
    done = run(root, tmp_path, "raise RuntimeError('boom')")
    assert "Traceback" in done.stderr
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_log_that_cannot_be_written_does_not_stop_the_job(root, tmp_path):
    (tmp_path / "log").mkdir()
    done = run(root, tmp_path, "print('worked')")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "worked\n"


STORE = "https://t0psecret@127.0.0.1:9/a?api_key=hidden%40key"


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('no answer from ' + os.environ['MLFLOW_TRACKING_URI'])",
        "raise UserError('no answer from ' + os.environ['MLFLOW_TRACKING_URI'])",
        "raise ValueError('bad user t0psecret') from OSError('hidden@key, pa55word')",
        "log.error('%r', os.environ['MLFLOW_TRACKING_URI'])",
        "warnings.warn(os.environ['MLFLOW_TRACKING_URI'])",
        # what MLflow and requests raise by themselves where nobody answers, and where a call fails
        "create_store('.', 'demo', patience=Patience(0))",
        "connect(os.environ['MLFLOW_TRACKING_URI']).get_run('1')",
        "create_store('.', 'demo', uri=os.environ['MLFLOW_TRACKING_URI'].replace('https', 'foo'))",
    ],
)
def test_no_secret_is_in_a_log_or_on_the_terminal(root, tmp_path, monkeypatch, body):
    monkeypatch.chdir(tmp_path)
    program = f"""
    import os, warnings
    from graphprune.errors import UserError
    from graphprune.tracking import Patience, create_store
    from graphprune.tracking.address import connect
    {body}
    """
    environment = {"MLFLOW_TRACKING_URI": STORE, "MLFLOW_TRACKING_PASSWORD": "pa55word"}
    done = run(root, tmp_path, program, environment=environment)
    (tmp_path / "script.py").unlink()
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    shown = done.stdout + done.stderr + "".join(written)
    assert ("bad user ***" if "bad user" in body else "127.0.0.1:9") in shown
    for secret in ("t0psecret", "hidden@key", "hidden%40key", "pa55word"):
        assert secret not in shown
