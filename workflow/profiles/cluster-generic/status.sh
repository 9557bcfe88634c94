#!/usr/bin/env bash
# status.sh JOB: prints success, failed or running, as Snakemake's plugin cluster-generic wants it.
# Slurm forgets a job MinJobAge (300 s by default) after its end; one it does not know counts as
# failed, and its files decide when it is tried again.
#   SGE:  qstat -j "$1" (running), then qacct -j "$1" | grep exit_status
#   PBS:  qstat -x -f "$1" | grep -E 'job_state|Exit_status'
#   LSF:  bjobs -noheader -o stat "$1"
state=$(squeue --noheader --states=all --jobs="$1" --format=%T 2>/dev/null)
case "$state" in
COMPLETED) echo success ;;
PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED) echo running ;;
*) echo failed ;;
esac
