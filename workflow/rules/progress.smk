# What the terminal shows beside Snakemake's own lines: units done, running and left with an
# estimate; of a failed job its unit, the end of its log and how to run it alone.

import logging
import time

from snakemake_interface_logger_plugins.common import LogEvent

from graphprune import failures
from graphprune.progress import Progress


class Terminal(logging.Handler):
    """Follows the events of Snakemake's logger."""

    def __init__(self):
        super().__init__()
        wanted = of_networks_all(all_units("metrics.json"))
        self.progress = Progress(wanted, filter(os.path.exists, wanted))
        self.start = time.monotonic()
        self.failed = {}

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.progress.started(record.jobid, map(str, record.output))
        elif event == LogEvent.JOB_FINISHED:
            self.progress.finished(record.job_id)
            self.failed.pop(record.job_id, None)
        elif event == LogEvent.JOB_ERROR:
            self.report(record)
        elif event == LogEvent.PROGRESS:
            seconds = time.monotonic() - self.start
            logger.info(self.progress.line(record.done, record.total, seconds))

    def report(self, record):
        outputs, logs = map(str, record.output), [str(path) for path in record.log]
        outputs = list(outputs)
        self.progress.failed(record.jobid)
        # the others of its group did what they had to
        if not outputs or failures.has_finished(logs):
            return
        command = failures.rerun(sys.argv, outputs[0])
        self.failed[record.jobid] = f"{record.rule_name}: {command}"
        logger.error(failures.describe(record.rule_name, outputs, logs, command))


def of_networks_all(patterns):
    return [path for pattern in patterns for path in of_networks(pattern)]


def disk_error():
    """Why nothing can be written to the results, in one line; empty if something can."""
    probe = Path(RESULTS) / ".probe"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(2**16))
        probe.unlink()
    except OSError as error:
        return f"{RESULTS}: {error.strerror}; make room or make it writable, then run again"
    return ""


TERMINAL = None


onstart:
    global TERMINAL
    if reason := disk_error():
        logger.error(reason)
        sys.exit(1)
    TERMINAL = Terminal()
    logger.addHandler(TERMINAL)


onerror:
    if TERMINAL and TERMINAL.failed:
        logger.error("Failed for good; each can be run alone:")
        for line in TERMINAL.failed.values():
            logger.error(f"  {line}")
    if reason := disk_error():
        logger.error(reason)
