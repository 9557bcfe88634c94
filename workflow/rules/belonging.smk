# What has to be made: decided by what lies on disk, held against what the configuration and the code
# say (graphprune.provenance). Snakemake's own memory in .snakemake and the times of files play no
# part: a folder that was copied, restored or archived is judged like any other.

from contextlib import contextmanager
from itertools import chain


from graphprune.provenance import receipts
from graphprune.provenance.artifacts import Disk
from graphprune.provenance.recipes import Recipes

RECIPES, DISK = Recipes(config), Disk()
# the processes of single jobs do what they are told; they do not look at the rest
PLANNING = workflow.exec_mode == ExecMode.DEFAULT
REASONS_SHOWN = 5


inputflags:
    # a file that is newer than another says nothing
    ancient,


def to_be_made(path):
    """Whether the artifact at ``path`` is missing, is not what it should be, or may be forced."""
    how = workflow.dag_settings
    if not PLANNING or how.forceall or how.forcetargets or how.forcerun:
        return True
    return bool(DISK.misfit(RECIPES.of(path), path))


def reason_to_run(job):
    """Why the outputs of a job are not what they should be; empty if they are."""
    outputs = [str(path) for path in job.output]
    known = {path: recipe for path in outputs if (recipe := RECIPES.of(path))}
    for path in job.output:
        # scores are removed once they are used
        if not os.path.exists(path):
            if "temp" not in path.flags:
                return f"{path}: not there"
        elif path in known and (reason := DISK.misfit(known[path], str(path))):
            return reason
    if known or not outputs:
        return ""
    facts = receipts.JobFacts(
        Path(job.rule.script).name,
        dict(job.params.items()),
        [str(path) for path in job.input],
        outputs,
    )
    if outputs[0].startswith(PATHS.record("")[: -len(".json")]) and record_is_gone():
        return f"{PATHS.database}: not there"
    return receipts.misfit(facts, RECIPES, DISK)


def record_is_gone():
    """Whether the store is the results' own, and was removed."""
    own = not os.environ.get("MLFLOW_TRACKING_URI")
    return own and not os.path.exists(PATHS.database)


def force_what_misfits(dag):
    """Force each job of ``dag`` whose outputs are not what they should be, and say why.

    Returns the jobs that were forced.
    """
    reasons, forced = [], set()
    for level in dag.toposorted():
        for job in level:
            if job.rule.norun or not job.output:
                continue
            reason = reason_to_run(job)
            # an overview is made again after what it shows
            before = [one for one in dag.dependencies[job] if one in forced]
            after = before and RECIPES.beside(job.output[0]) is None
            if reason or after or is_forced(dag, job) or copies_times(dag, job, before):
                forced.add(job)
                dag.forcefiles.update(job.output)
                # Snakemake leaves out what comes after a job that runs, ancient inputs apart
                for file in chain(*(dag.dependencies[job][one] for one in before)):
                    file.flags.pop("ancient", None)
                if os.path.exists(job.output[0]) and reason:
                    reasons.append(reason)
    for reason in reasons[:REASONS_SHOWN]:
        logger.info(f"to be made again: {reason}")
    if len(reasons) > REASONS_SHOWN:
        logger.info(f"to be made again: {len(reasons) - REASONS_SHOWN} more")
    return forced


def is_forced(dag, job):
    """Whether Snakemake runs ``job`` anyway: it was interrupted, or the user says so."""
    return job.rule in dag.forcerules or not dag.forcefiles.isdisjoint(job.output)


def copies_times(dag, job, before):
    """Whether ``job`` makes metrics, which hold the seconds in what the jobs ``before`` it write."""
    recipe = RECIPES.of(job.output[0])
    files = chain(*(dag.dependencies[job][one] for one in before))
    return bool(recipe) and recipe.stage == "evaluate" and any(map(is_timed, files))


def is_timed(path):
    return not path.endswith(".safetensors")


@contextmanager
def apart_from(dag, forced):
    """Within the block artifacts that belong are not made again only because their inputs are.

    What is made again from one recipe is the same; where it is not, `remaining_misfits` says so.
    Snakemake would make again all that comes after a file that is missing.
    """
    held = [
        (job, after, files)
        for job in forced
        for after, files in dag.depending[job].items()
        if after not in forced and after.output and RECIPES.of(after.output[0])
        # the stages of a group that run have to follow one another
        and job.rule.group != after.rule.group
    ]
    for job, after, _ in held:
        dag.depending[job][after] = set()
    try:
        yield
    finally:
        for job, after, files in held:
            dag.depending[job][after] = files


def split_groups_at_gaps(dag):
    """Put stages of a group apart that follow on a stage that need not run.

    Snakemake refuses a group that it would have to leave and to enter again: a network that is
    trained again gives the same activations, which stay, and the graph is drawn from both.
    """
    gaps = {}
    for job in chain(*dag.toposorted()):
        name = job.rule.group
        before = [
            gaps[one]
            for one in dag.dependencies[job]
            if one in gaps and one.rule.group == name
        ]
        if name is None:
            continue
        if dag.needrun(job):
            gaps[job] = max(before, default=0)
            if gaps[job]:
                job.group = f"{name}_{gaps[job]}"
        elif before:
            gaps[job] = max(before) + 1


def remaining_misfits():
    """Why artifacts of this run that were made before do not fit what was made now."""
    return [
        reason
        for job in workflow.dag.jobs
        if not job.rule.norun
        and any(RECIPES.of(path) for path in job.output)
        and (reason := reason_to_run(job))
    ]


def decide_by_what_is_on_disk():
    """Let Snakemake run what `force_what_misfits` says, and what that needs.

    Snakemake has no hook between making the jobs and choosing those to run. So its preparation of
    the graph of jobs is wrapped, here and nowhere else.
    """
    prepare = workflow._prepare_dag

    def prepared(*arguments, **options):
        workflow.dag_settings.rerun_triggers = frozenset()
        prepare(*arguments, **options)
        dag = workflow.dag
        choose, chosen = dag.update_needrun, []

        async def update_needrun(*arguments, **options):
            if not chosen:
                chosen.append(force_what_misfits(dag))
            with apart_from(dag, chosen[0]):
                await choose(*arguments, **options)
            split_groups_at_gaps(dag)

        dag.update_needrun = update_needrun

    workflow._prepare_dag = prepared


def alike():
    """The ratios in groups: at those of a group the same units are finished."""
    groups = {}
    for ratio in COMPRESSIONS:
        patterns = of_methods(PATHS.metrics, compression=ratio)
        paths = (path for pattern in patterns for path in of_networks(pattern))
        finished = tuple(os.path.exists(path) for path in paths)
        groups.setdefault(finished, []).append(ratio)
    return list(groups.values())


def batches():
    """Suffix of the rules' names -> the compression ratios whose units share one process.

    Ratios at which other units are finished form batches of their own, so that a job makes only what
    is missing: ratios that were added later stay apart until they have caught up. Processes of
    single jobs read the batches that the planning one has written: units get finished meanwhile.
    """
    note = Path(PATHS.batches)
    if not PLANNING and note.exists():
        return json.loads(note.read_text())
    size = config["compressions_per_job"]
    chained = any(method_object(label).chained() for label in METHODS)
    groups = [COMPRESSIONS] if chained else alike()
    parts = [
        group[start : start + size]
        for group in groups
        for start in range(0, len(group), size)
    ]
    if len(parts) == 1:
        return {"": parts[0]}
    return {f"_{number}": part for number, part in enumerate(parts, 1)}


BATCHES = batches()

if PLANNING:
    decide_by_what_is_on_disk()
