"""What a user is told of a failed job: enough to go on."""

from graphprune.jobs import failures

RUN = "results/digits/mlp/seed0/finetune/magnitude"


def log_of(path, *attempts):
    lines = [f"12:00 [7] INFO started on n1\n{lines}" for lines in attempts]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_the_tail_is_that_of_the_last_attempt(tmp_path):
    log = log_of(tmp_path / "log", "old", "one\ntwo\nthree")
    assert failures.tail(log, 2) == ["two", "three"]
    assert failures.tail(log) == ["12:00 [7] INFO started on n1", "one", "two", "three"]
    assert failures.tail(tmp_path / "none") == []


def test_a_job_has_finished_if_its_last_attempt_has(tmp_path):
    end = "12:01 [7] INFO finished after 3.0 s, train, peak memory 300 MB"
    assert failures.has_finished([log_of(tmp_path / "a", "ERROR", end)])
    assert not failures.has_finished([log_of(tmp_path / "b", end, "ERROR")])
    assert not failures.has_finished([str(tmp_path / "none")])
    assert not failures.has_finished([])


def test_the_reason_is_the_error_that_ended_the_last_attempt(tmp_path):
    error = "12:01 [7] ERROR results/x2: No space left on device"
    log = log_of(tmp_path / "a", "12:01 [7] ERROR old", error)
    assert failures.reason([log]) == "results/x2: No space left on device"
    assert failures.reason([log_of(tmp_path / "b", f"{error}\nkilled")]) == ""
    assert failures.reason(["none"]) == ""


def test_a_failure_names_the_unit_the_log_and_a_command_that_makes_its_file(tmp_path):
    log = log_of(tmp_path / "log", "12:01 [7] ERROR loss is nan")
    outputs = [f"{RUN}/x2/mask.safetensors", f"{RUN}/x2/pruned.safetensors"]
    command = failures.rerun(
        ["/venv/bin/snakemake", "--configfile", "my file.yaml", "--", "everything"], outputs[0]
    )
    text = failures.describe("prune", outputs, [log], command)
    assert text.splitlines() == [
        f"FAILED prune: {RUN}/x2",
        f"  the end of {log}:",
        "    12:00 [7] INFO started on n1",
        "    12:01 [7] ERROR loss is nan",
        f"  to run it alone: snakemake --configfile 'my file.yaml' -- {outputs[0]}",
    ]
    assert "it never started" in failures.describe("prune", outputs, ["none"], command)


def test_python_m_snakemake_is_rerun_as_snakemake():
    assert failures.rerun(["/lib/snakemake/__main__.py", "-n"], "a") == "snakemake -n -- a"


def test_where_the_log_had_no_room_the_scheduler_s_log_gives_the_reason(tmp_path):
    log = tmp_path / "7.log"
    log.write_text(
        "score digits mlp 0: results/a: an error of another rule\n"
        "prune digits mlp 0 finetune random: results/b: Read-only file system\n"
        "prune digits mlp 0 finetune random: results/c: No space left on device; make room\n"
        "prune failed\nRuleException: CalledProcessError\n"
    )
    assert failures.printed([log], "prune") == "results/c: No space left on device; make room"
    assert failures.printed([log], "finetune") == failures.printed([tmp_path / "no"], "prune") == ""
