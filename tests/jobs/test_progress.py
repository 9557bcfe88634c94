"""How far a run of the workflow is."""

from graphprune.jobs.progress import Progress, duration

RUN = "results/digits/mlp/seed0/finetune/magnitude"
UNITS = [f"{RUN}/x{ratio}/metrics.json" for ratio in (2, 4, 8)]


def counts(progress):
    return progress.line(1, 2, 1.0).partition(";")[0]


def test_a_unit_is_running_from_its_scores_to_its_metrics():
    progress = Progress(UNITS, present=UNITS[2:])
    assert counts(progress) == "units: 1 done, 0 running, 2 left"
    progress.started("score", [f"{RUN}/scores.safetensors"])
    assert counts(progress) == "units: 1 done, 2 running, 0 left"
    progress.finished("score")
    progress.started("evaluate", UNITS[:1])
    progress.finished("evaluate")
    assert counts(progress) == "units: 2 done, 1 running, 0 left"


def test_a_failed_unit_is_left_again():
    progress = Progress(UNITS)
    progress.started(1, [f"{RUN}/x4/mask.safetensors"])
    progress.failed(1)
    assert counts(progress) == "units: 0 done, 0 running, 3 left"


def test_a_job_may_succeed_at_its_second_attempt():
    progress = Progress(UNITS)
    progress.started(1, UNITS[:1])
    progress.failed(1)
    progress.finished(1)
    assert counts(progress) == "units: 1 done, 0 running, 2 left"


def test_jobs_of_no_unit_do_not_count():
    progress = Progress(UNITS)
    progress.started(1, ["results/digits/mlp/seed0/dense/checkpoint.safetensors"])
    progress.finished(1)
    progress.finished("never started")
    assert counts(progress) == "units: 0 done, 0 running, 3 left"


def test_the_estimate_is_that_of_like_steps():
    progress = Progress(UNITS)
    assert "to go" not in progress.line(0, 10, 5.0)
    assert progress.line(2, 10, 30.0).endswith("2 of 10 steps, about 2 min to go")
    assert "to go" not in progress.line(10, 10, 5.0)
    assert [duration(s) for s in (0, 59, 60, 5399, 5400)] == [
        "0 s",
        "59 s",
        "1 min",
        "90 min",
        "1.5 h",
    ]
