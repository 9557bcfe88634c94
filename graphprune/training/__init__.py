"""Training and fine-tuning with masks held, what a network achieves, and on which device."""
