"""What made an artifact, and whether it belongs where it lies.

code: digests of source code, blind to what cannot alter a result.
recipe: what one artifact is made by. recipes: those of all artifacts of a configuration.
artifacts: what an artifact on disk says of what made it, held against its recipe.
receipts: the same for files that cannot say it themselves, such as figures.
"""
