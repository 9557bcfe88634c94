# After SIGKILL the same command goes on. Before Snakemake looks at its lock, a run that finds itself
# alone ends what killed ones left and unlocks; files that jobs left unfinished are made again.

from contextlib import contextmanager

from snakemake.exceptions import LockException, ProtectedOutputException, WorkflowError

from graphprune.jobs import leftovers
from graphprune.jobs.presence import FOLDER, Note, Presence, during

PRESENCE = None


def take_over(presence):
    """Clean up after runs that were killed on this machine."""
    ended = leftovers.end_scripts(Path.cwd())
    workflow.unlock()
    for note in presence.killed:
        leftovers.sweep(note.results)
    numbers = ", ".join(str(note.pid) for note in presence.killed)
    logger.info(
        f"An earlier run (process {numbers}) was killed. Its scripts that still ran were ended "
        f"({ended}), its lock was removed; this run goes on from its results."
    )
    presence.forget()


def waiting():
    logger.info("Another run is just starting in this folder; waiting for it.")


@contextmanager
def run_of_folder(executor_plugin, **settings):
    """What is done around one run of the workflow; a dry run changes nothing."""
    global PRESENCE
    executor = executor_plugin.common_settings
    # a scheduler's jobs may still run; there the profile decides
    if executor.local_exec and not executor.touch_exec:
        workflow.dag_settings.force_incomplete = True
    if executor.dryrun_exec:
        yield
        return
    own = Note.own(RESULTS, not executor.local_exec)
    try:
        with Presence(Path(FOLDER), own, waiting) as PRESENCE:
            if PRESENCE.killed:
                take_over(PRESENCE)
            PRESENCE.write()
            if workflow.execution_settings.no_hooks:
                if reason := disk_error():
                    raise WorkflowError(reason)
                has_locked()
            yield
    except LockException:
        logger.error(f"The files are locked: {PRESENCE.advice()}")
        raise
    except UserError as error:
        raise WorkflowError(str(error)) from None
    except ProtectedOutputException as error:
        # its last line is the first of the files
        first = str(error).split()[-1]
        raise WorkflowError(
            f"{first}: is to be made again, but is write-protected; make it writable, then run again"
        ) from None


def has_locked():
    """Let the next run start, for this one has locked its files; called by onstart."""
    if PRESENCE:
        PRESENCE.open_gate()


# While the Snakefile is read, nobody knows whether Snakemake will run, unlock or report. It runs
# by this method and by no other.
if workflow.is_main_process:
    workflow.execute = during(run_of_folder, workflow.execute)
