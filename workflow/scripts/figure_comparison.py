"""Draw accuracy against compression, and the cost of the scores."""

from job import job

with job(snakemake) as log:
    from graphprune import figures
    from graphprune.comparison import reading, tables

    units = reading.table(snakemake.input.units, tables.COLUMNS, "the table of all units")
    figure = figures.accuracy_against_compression(units, "finetuned")
    figures.save(figure, snakemake.output.finetuned[0])
    # in regime scratch a pruned network is not yet trained, so its accuracy says nothing
    trained = units[units.regime == "finetune"] if "finetune" in set(units.regime) else units
    figure = figures.accuracy_against_compression(trained, "pruned")
    figures.save(figure, snakemake.output.pruned[0])
    figures.save(figures.scoring_cost(units), snakemake.output.cost[0])
    figures.save(figures.cost_against_compression(units), snakemake.output.savings[0])
