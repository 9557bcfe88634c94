"""What the workflow needs besides pruning: configuration, resources, progress, failures."""
