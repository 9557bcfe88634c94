# What the terminal shows beside Snakemake's own lines: units done, running and left, with an
# estimate of the time; for a failed job its unit, the end of its log and how to run it alone.

import logging
import time

from snakemake_interface_logger_plugins.common import LogEvent

from graphprune.files import write_json
from graphprune.jobs import failures
from graphprune.jobs.progress import Progress
from graphprune.layout import mark


class Terminal(logging.Handler):
    """Follows the events of Snakemake's logger."""

    def __init__(self):
        super().__init__()
        wanted = of_networks_all(all_units(PATHS.metrics))
        self.progress = Progress(wanted, filter(os.path.exists, wanted))
        self.start = time.monotonic()
        self.failed = {}
        # id of what Snakemake starts, a job or a group -> ids of the jobs in it -> their outputs
        self.started = {}
        for job in workflow.dag.needrun_jobs():
            whole = workflow.dag.get_job_group(job) or job
            jobs = self.started.setdefault(whole.jobid, {})
            jobs[job.jobid] = [str(path) for path in job.output]

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_STARTED:
            for whole in record.jobs:
                for job, outputs in self.started.get(whole, {}).items():
                    self.progress.started(job, outputs)
        elif event == LogEvent.JOB_FINISHED:
            self.progress.finished(record.job_id)
            self.failed.pop(record.job_id, None)
        elif event == LogEvent.GROUP_ERROR:
            self.report_group(record)
        # Snakemake reports the members of a failed group once more, indented
        elif event == LogEvent.JOB_ERROR and not record.indent:
            self.report(
                record.__dict__, record.log, getattr(record, "aux_logs", None) or ()
            )
        elif event == LogEvent.PROGRESS:
            seconds = time.monotonic() - self.start
            logger.info(self.progress.line(record.done, record.total, seconds))

    def report_group(self, record):
        members = record.job_error_info
        begun = [
            info
            for info in members
            if failures.tail(info["log"][0]) and not failures.has_finished(info["log"])
        ]
        for info in members:
            self.progress.failed(info["jobid"])
        # where none began, the scheduler's log says why
        for info in begun or members[:1]:
            self.report(
                info, info["log"] if begun else record.aux_logs, record.aux_logs
            )

    def report(self, info, logs, beside=()):
        """beside: the scheduler's logs; a full disk of results takes no log of the job's."""
        name = info["rule_name"]
        outputs, logs = [str(path) for path in info["output"]], list(map(str, logs))
        self.progress.failed(info["jobid"])
        if not outputs:
            return
        command = failures.rerun(sys.argv, outputs[0])
        reason = (
            failures.reason(logs)
            or failures.printed(beside, name)
            or "see its log above"
        )
        self.failed[info["jobid"]] = [f"{name}: {reason}", f"  {command}"]
        logger.error(failures.describe(name, outputs, logs, command))


def of_networks_all(patterns):
    return [path for pattern in patterns for path in of_networks(pattern)]


def disk_error():
    """One line that says why the results cannot be written; empty if they can.

    It also marks a new folder as one of results, which `make clean` may remove.
    """
    probe = Path(RESULTS) / ".probe"
    try:
        mark(RESULTS)
        write_json(PATHS.batches, BATCHES)
        write_json(PATHS.configuration, config)
        try:
            probe.write_bytes(bytes(2**16))
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return f"{RESULTS}: {error.strerror}; make room or make it writable, then run again"
    return ""


TERMINAL = None


onstart:
    global TERMINAL
    has_locked()
    if reason := disk_error():
        logger.error(reason)
        sys.exit(1)
    follow()
    TERMINAL = Terminal()
    logger.addHandler(TERMINAL)


onsuccess:
    # what was made again may differ where another machine had made it
    if misfits := remaining_misfits():
        for reason in misfits[:REASONS_SHOWN]:
            logger.error(reason)
        logger.error(f"{len(misfits)} files do not fit together yet; run again")
        sys.exit(1)


onerror:
    if TERMINAL and TERMINAL.failed:
        logger.error("Failed for good; each can be run alone:")
        for lines in TERMINAL.failed.values():
            for line in lines:
                logger.error(f"  {line}")
    if reason := disk_error():
        logger.error(reason)
