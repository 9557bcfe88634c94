# The process beside Snakemake that shows learning curves in MLflow while jobs still train.

import subprocess

FOLLOWER = None


def follow():
    """Start the process that shows long trainings in MLflow; it ends when Snakemake does."""
    global FOLLOWER
    path = os.pathsep.join(
        filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")])
    )
    FOLLOWER = subprocess.Popen(
        [sys.executable, "-m", "graphprune.tracking.follower"]
        + ["--results", RESULTS, "--experiment", config["experiment"]]
        + ["--after", str(config["tracking"]["live_after"])],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
