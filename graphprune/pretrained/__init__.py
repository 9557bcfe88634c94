"""Networks that were trained elsewhere, taken over to be pruned.

source: what `checkpoint` in a configuration names. published: weights by name, and what is known of
them before they are fetched. fetching: how they are fetched. reading: tensors out of a file, put
into a network key by key.
"""
