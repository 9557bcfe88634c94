"""The configuration: what its keys are (`keys`), how it is checked (`complete`), and the pages made
from it (`publish`). Only light imports: it is read while the workflow plans.
"""
