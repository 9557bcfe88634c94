"""ProbMask: keep probabilities of weights, learned under one budget for the whole network.

Zhou et al., Effective Sparsification of Neural Networks with Global Sparsity Constraint,
CVPR 2021, arXiv 2105.01571. `settings` names the hyperparameters, `trainer` runs the training,
`projection` keeps the budget, `relaxation` draws the masks, `schedule` says how the budget and the
temperature fall, `binding` lays the network's weights out as one vector, `final` turns
probabilities into a mask, `state` writes and reads checkpoints.
"""
