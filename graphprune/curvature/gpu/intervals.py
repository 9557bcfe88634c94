"""Certified intervals of curvature for thousands of edges at once, in torch: for a GPU.

All edges of a base problem share its costs D and masses p, q. An edge u → v adds the hub: mass may
take the detour from k to m at cost r_k + c_m, where r_k = d(k, v) − d(u, v) and c_m = d(u, m). With
the entropic kernel K = exp(−D / ε) the kernel of the edge is K plus a matrix of rank one,

    K_e = K + exp(−r / ε) exp(−c / ε)ᵀ,

so a Sinkhorn iteration over all edges of the problem is one matrix product with the shared K.

The interval is valid after any number of iterations. Its upper end comes from potentials that a
c-transform makes feasible; its lower end from a plan that is rounded to the masses (Altschuler et
al., arXiv 1705.09634). Masses of 0 pad problems of different size. Torch alone; float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphprune.curvature.definitions import check_alpha
from graphprune.defaults import ALPHA
from graphprune.errors import UserError

# Most entries of one intermediate array of ``min_plus``.
CHUNK = 1 << 26
# Exponents are clamped to ± this: beyond it they only mean "no mass" or "all mass".
LARGEST_EXPONENT = 200.0


@dataclass(frozen=True)
class Batch:
    """Base problems with their edges, padded to common sizes; float64 on one device.

    The edges of a problem lead from its sources (vertices u) to its targets (vertices v).

    cost: ``(problems, n, m)`` D, finite.
    p: ``(problems, n)``, q: ``(problems, m)`` masses that sum to 1; 0 where padded.
    to_v: ``(problems, targets, n)`` d(k, v); from_u: ``(problems, sources, m)`` d(u, m).
    length: ``(problems, targets, sources)`` ℓ(u, v); inf where there is no edge.
    direct: d(u, v) of the same shape; None if it is ℓ for every edge.
    """

    cost: Tensor
    p: Tensor
    q: Tensor
    to_v: Tensor
    from_u: Tensor
    length: Tensor
    direct: Tensor | None = None


@dataclass(frozen=True)
class Intervals:
    """lower ≤ κ ≤ upper, each ``(problems, targets, sources)``; NaN where there is no edge."""

    lower: Tensor
    upper: Tensor


def min_plus(a: Tensor, b: Tensor) -> Tensor:
    """min over k of a[…, i, k] + b[…, k, j], some rows i at a time; ``(…, i, j)``.

    a: ``(…, i, k)``; b: ``(…, k, j)``.
    """
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    per_row = max(1, b.shape[-2] * b.shape[-1] * batch.numel())
    rows = max(1, CHUNK // per_row)
    products = [(some.unsqueeze(-1) + b.unsqueeze(-3)).amin(-2) for some in a.split(rows, dim=-2)]
    return torch.cat(products, dim=-2)


def intervals(
    batch: Batch, alpha: float = ALPHA, iterations: int = 200, smoothing: float = 0.02
) -> Intervals:
    """Lower and upper bounds of κ of every edge of the batch.

    Parameters
    ----------
    batch : base problems and their edges.
    alpha : idleness, 0 ≤ α < 1.
    iterations : of Sinkhorn, at least 0; more make the intervals narrower, any number is valid.
    smoothing : ε relative to the mean cost of the base problem, greater than 0.

    Returns
    -------
    ``Intervals``, float64 on the device of the batch.

    Raises
    ------
    UserError : alpha, iterations or smoothing out of range.

    >>> kappa = intervals(batch)
    >>> undecided = kappa.lower < smallest_upper
    """
    check_alpha(alpha)
    if iterations < 0:
        raise UserError(f"iterations is {iterations}; allowed: at least 0")
    if not smoothing > 0:
        raise UserError(f"smoothing is {smoothing}; allowed: greater than 0")
    direct = batch.length if batch.direct is None else batch.direct
    exists = torch.isfinite(batch.length)
    direct = torch.where(exists, direct, torch.ones_like(direct))
    length = torch.where(exists, batch.length, torch.ones_like(direct))
    mean = (batch.p.unsqueeze(-1) * batch.cost * batch.q.unsqueeze(-2)).sum((1, 2))
    epsilon = smoothing * mean.clamp_min(1e-300)
    f, g = _base_potentials(batch, epsilon, iterations)
    base = _rounded_base(batch, f, g, epsilon)
    edges = _Edges(batch, direct, f, g, epsilon)
    scale_p, scale_q = edges.iterate(iterations)
    below = torch.maximum(edges.dual(scale_p), edges.lowered_base())
    above = torch.minimum(edges.rounded(scale_p, scale_q), edges.all_detour())
    idle = min(1.0, alpha / (1.0 - alpha))
    base = base[:, None, None]
    above = torch.minimum(base, (1.0 - idle) * base + idle * above)
    constant = 1.0 + alpha * (1.0 - direct / length) / (1.0 - alpha)
    missing = torch.full_like(length, torch.nan)
    lower = torch.where(exists, constant - above / length, missing)
    upper = torch.where(exists, constant - below / length, missing)
    return Intervals(lower, upper)


def _base_potentials(batch: Batch, epsilon: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Feasible potentials of the base problems: log-domain Sinkhorn, then a c-transform."""
    cost, eps = batch.cost, epsilon[:, None]
    log_p, log_q = batch.p.log(), batch.q.log()
    padded_q = torch.where(batch.q > 0, 0.0, torch.inf)[:, None, :]
    padded_p = torch.where(batch.p > 0, 0.0, torch.inf)[:, :, None]
    g = torch.zeros_like(batch.q)
    for _ in range(iterations):
        f = -eps * ((g / eps + log_q)[:, None, :] - cost / eps[:, :, None]).logsumexp(2)
        g = -eps * ((f / eps + log_p)[:, :, None] - cost / eps[:, :, None]).logsumexp(1)
    f = (cost - g[:, None, :] + padded_q).amin(2)
    g = (cost - f[:, :, None] + padded_p).amin(1)
    return f, g


def _rounded_base(batch: Batch, f: Tensor, g: Tensor, epsilon: Tensor) -> Tensor:
    """Cost of a feasible plan close to the one that the potentials give, ``(problems,)``."""
    reduced = (f[:, :, None] + g[:, None, :] - batch.cost) / epsilon[:, None, None]
    plan = batch.p[:, :, None] * reduced.clamp_max(0.0).exp() * batch.q[:, None, :]
    for _ in range(20):
        plan = plan * _ratio(batch.p, plan.sum(2))[:, :, None]
        plan = plan * _ratio(batch.q, plan.sum(1))[:, None, :]
    plan = plan * _ratio(batch.p, plan.sum(2)).clamp_max(1.0)[:, :, None]
    missing_p = (batch.p - plan.sum(2)).clamp_min(0.0)
    missing_q = (batch.q - plan.sum(1)).clamp_min(0.0)
    total = missing_p.sum(1).clamp_min(1e-300)
    plan = plan + missing_p[:, :, None] * missing_q[:, None, :] / total[:, None, None]
    return (plan * batch.cost).sum((1, 2))


def _ratio(dividend: Tensor, divisor: Tensor) -> Tensor:
    """dividend / divisor; 0 where the divisor is 0."""
    return torch.where(divisor > 0, dividend / divisor, torch.zeros_like(dividend))


class _Edges:
    """All edges of each base problem as columns ``e = target * sources + source``."""

    def __init__(self, batch: Batch, direct: Tensor, f: Tensor, g: Tensor, epsilon: Tensor) -> None:
        self.batch, self.f, self.g = batch, f, g
        problems, targets, sources = direct.shape
        self.shape = problems, targets, sources
        # (problems, n, edges) and (problems, m, edges)
        r = batch.to_v.transpose(1, 2)[:, :, :, None] - direct[:, None, :, :]
        c = batch.from_u.transpose(1, 2)[:, :, None, :].expand(-1, -1, targets, -1)
        self.r = torch.nan_to_num(r.reshape(problems, -1, targets * sources), posinf=1e300)
        self.c = torch.nan_to_num(c.reshape(problems, -1, targets * sources), posinf=1e300)
        self.p, self.q = batch.p[:, :, None], batch.q[:, :, None]
        self.epsilon = epsilon[:, None, None]
        eps = self.epsilon
        self.absent_p = torch.where(self.p > 0, 0.0, torch.inf)
        self.absent_q = torch.where(self.q > 0, 0.0, torch.inf)
        # h, the potential of the hub (see passes.certificates), is best between low and high
        low = (self.c - g[:, :, None] + self.absent_q).amin(1)
        high = -(self.r - f[:, :, None] + self.absent_p).amin(1)
        self.h = self._best_potential(torch.minimum(low, high), torch.maximum(low, high))
        reduced = batch.cost - f[:, :, None] - g[:, None, :]
        self.kernel = (-reduced / eps).clamp(-LARGEST_EXPONENT, 0.0).exp()
        self.a = self._bounded((f[:, :, None] - self.r - self.h[:, None, :]) / eps)
        self.b = self._bounded((g[:, :, None] - self.c + self.h[:, None, :]) / eps)

    @staticmethod
    def _bounded(exponent: Tensor) -> Tensor:
        return exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp()

    def _lowered(self, h: Tensor) -> Tensor:
        """Σ p min(f, r + h) + Σ q min(g, c − h), ``(problems, edges)``."""
        f = torch.minimum(self.f[:, :, None], self.r + h[:, None, :])
        g = torch.minimum(self.g[:, :, None], self.c - h[:, None, :])
        return (self.p * f).sum(1) + (self.q * g).sum(1)

    def _best_potential(self, low: Tensor, high: Tensor) -> Tensor:
        """The h of the greatest lower bound, which is concave in h, by ternary search."""
        for _ in range(20):
            third = (high - low) / 3
            left, right = low + third, high - third
            rising = self._lowered(left) < self._lowered(right)
            low, high = torch.where(rising, left, low), torch.where(rising, high, right)
        return 0.5 * (low + high)

    def lowered_base(self) -> Tensor:
        """Lower bound of the cost, from the base potentials, ``(problems, targets, sources)``."""
        return self._lowered(self.h).reshape(self.shape)

    def all_detour(self) -> Tensor:
        """Cost if all mass takes the detour, ``(problems, targets, sources)``."""
        return ((self.p * self.r).sum(1) + (self.q * self.c).sum(1)).reshape(self.shape)

    def _times(self, scale_q: Tensor) -> Tensor:
        """K_e · scale_q of every edge."""
        return self.kernel @ scale_q + self.a * (self.b * scale_q).sum(1, keepdim=True)

    def _transposed_times(self, scale_p: Tensor) -> Tensor:
        """K_eᵀ · scale_p of every edge."""
        return self.kernel.transpose(1, 2) @ scale_p + self.b * (self.a * scale_p).sum(
            1, keepdim=True
        )

    def iterate(self, iterations: int) -> tuple[Tensor, Tensor]:
        """Sinkhorn scalings of the rows ``(problems, n, edges)`` and columns ``(…, m, edges)``."""
        scale_q = self.q.expand_as(self.b).clone()
        scale_p = _ratio(self.p.expand_as(self.a), self._times(scale_q))
        for _ in range(iterations):
            scale_q = _ratio(self.q.expand_as(self.b), self._transposed_times(scale_p))
            scale_p = _ratio(self.p.expand_as(self.a), self._times(scale_q))
        return scale_p, scale_q

    def dual(self, scale_p: Tensor) -> Tensor:
        """Value of the potentials of ``scale_p``, made feasible by a c-transform."""
        ratio = _ratio(scale_p, self.p.expand_as(scale_p))
        change = ratio.clamp(1e-300, 1e300).log() * self.epsilon
        f = torch.where(self.p > 0, self.f[:, :, None] + change, torch.full_like(scale_p, -1e300))
        g = min_plus(-f.transpose(1, 2), self.batch.cost).transpose(1, 2)
        to_hub = (self.r - f).amin(1, keepdim=True)
        g = torch.minimum(g, to_hub + self.c)
        value = (self.p * torch.where(self.p > 0, f, torch.zeros_like(f))).sum(1)
        value = value + (self.q * torch.where(self.q > 0, g, torch.zeros_like(g))).sum(1)
        return torch.nan_to_num(value, nan=-torch.inf).reshape(self.shape)

    def rounded(self, scale_p: Tensor, scale_q: Tensor) -> Tensor:
        """Cost of a feasible plan.

        The plan of the scalings is scaled down until it exceeds no mass. What is then missing is
        moved over D, by the product of the missing masses.
        """
        sums = scale_p * self._times(scale_q)
        scale_p = scale_p * _ratio(self.p.expand_as(scale_p), sums).clamp_max(1.0)
        sums = scale_q * self._transposed_times(scale_p)
        scale_q = scale_q * _ratio(self.q.expand_as(scale_q), sums).clamp_max(1.0)
        sent, received = scale_p * self._times(scale_q), scale_q * self._transposed_times(scale_p)
        missing_p = (self.p - sent).clamp_min(0.0)
        missing_q = (self.q - received).clamp_min(0.0)
        cost = self.batch.cost
        plain = (scale_p * ((self.kernel * cost) @ scale_q)).sum(1)
        leaving, arriving = (scale_p * self.a).sum(1), (scale_q * self.b).sum(1)
        detour = (scale_p * self.a * self.r).sum(1) * arriving
        detour = detour + (scale_q * self.b * self.c).sum(1) * leaving
        total = missing_p.sum(1).clamp_min(1e-300)
        rest = (missing_p * (cost @ missing_q)).sum(1) / total
        return torch.nan_to_num(plain + detour + rest, nan=torch.inf).reshape(self.shape)
