"""Draw the histogram of the weights' curvature and the removal curves."""

from job import job

with job(snakemake) as log:
    from graphprune import figures
    from graphprune.comparison import removal
    from graphprune.methods import results

    title = "{dataset} · {network}".format(**dict(snakemake.wildcards.items()))
    scores = results.load(snakemake.input.scores[0]).result.scores
    curvature = {name: -score[score.isfinite()].numpy() for name, score in scores.items()}
    histogram = figures.curvature_histogram(curvature, title)
    figures.save(histogram, snakemake.output.histogram[0])
    table = removal.read(snakemake.input.removal)
    figures.save(figures.removal_curves(table, title), snakemake.output.removal[0])
