"""The layers of a network: which weights pruning knows, what it refuses, how often each is used."""
