from snakemake.utils import min_version

min_version("9.0")


# a preset given by --configfile stands alone instead of being merged into the demo
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/functions.smk"
include: "workflow/rules/params.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/belonging.smk"
include: "workflow/rules/follower.smk"
include: "workflow/rules/interruptions.smk"
include: "workflow/rules/progress.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/take_over.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/graph.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/prune.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/latency.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/track.smk"
include: "workflow/rules/rgp_aspl.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.track_comparison.output,


# on a cluster, what needs the network or must be done by one process runs where Snakemake does
localrules:
    all,
    data,
    fetch,
    store,
