"""Certified intervals of curvature for thousands of edges at once, in torch: for a GPU.

All edges of a base problem share its costs D and masses p, q. An edge adds a way round through
u → v: mass leaves k at cost r_k = d(k, v) − d(u, v) and arrives at m at cost c_m = d(u, m). With an
entropic kernel K = exp(−D / ε) the edge's own kernel is K plus a matrix of rank one,

    K_e = K + exp(−r / ε) exp(−c / ε)ᵀ,

so a Sinkhorn iteration over all edges of the problem is one matrix product with the shared K.

Whatever the iterations reach, the interval holds: below, the potentials are made feasible by a
c-transform; above, the plan is rounded to the masses (Altschuler et al., arXiv 1705.09634). Masses
of 0 pad problems of different size. Torch alone; float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphprune.curvature.definitions import ALPHA, check_alpha
from graphprune.errors import UserError

# Entries of one intermediate array of the chunked min-plus products.
CHUNK = 1 << 26
# Exponents beyond this only ever mean "no mass" or "all mass".
LARGEST_EXPONENT = 200.0


@dataclass(frozen=True)
class Batch:
    """Base problems with their edges, padded to common sizes; float64 on one device.

    cost: ``(problems, n, m)`` D, finite; p ``(problems, n)``, q ``(problems, m)``: masses that sum
    to 1, 0 in padded places.
    to_v: ``(problems, targets, n)`` d(k, v); from_u: ``(problems, sources, m)`` d(u, m).
    length: ``(problems, targets, sources)`` ℓ(u, v); inf where there is no edge.
    direct: d(u, v) of the same shape, None where it is ℓ.
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
    """min over k of a[…, i, k] + b[…, k, j]; ``(…, i, k)`` and ``(…, k, j)``, chunked over i."""
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    per_row = max(1, b.shape[-2] * b.shape[-1] * batch.numel())
    rows = max(1, CHUNK // per_row)
    parts = [(part.unsqueeze(-1) + b.unsqueeze(-3)).amin(-2) for part in a.split(rows, dim=-2)]
    return torch.cat(parts, dim=-2)


def intervals(
    batch: Batch, alpha: float = ALPHA, iterations: int = 200, smoothing: float = 0.02
) -> Intervals:
    """Lower and upper bounds of κ of every edge of the batch.

    Parameters
    ----------
    alpha : idleness, 0 ≤ α < 1.
    iterations : of Sinkhorn; more make the interval narrower, none makes it wrong.
    smoothing : ε as a share of the mean base cost.

    Raises
    ------
    UserError : alpha, iterations or smoothing out of range.

    >>> found = intervals(batch)
    >>> undecided = found.lower < smallest_upper
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
    u, v = edges.iterate(iterations)
    below = torch.maximum(edges.dual(u), edges.lowered_base())
    above = torch.minimum(edges.rounded(u, v), edges.through())
    idle = min(1.0, alpha / (1.0 - alpha))
    base = base[:, None, None]
    above = torch.minimum(base, (1.0 - idle) * base + idle * above)
    shortcut = 1.0 + alpha * (1.0 - direct / length) / (1.0 - alpha)
    nothing = torch.full_like(length, torch.nan)
    lower = torch.where(exists, shortcut - above / length, nothing)
    upper = torch.where(exists, shortcut - below / length, nothing)
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
    """Cost of a feasible plan near the potentials' own, ``(problems,)``."""
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


def _ratio(wanted: Tensor, found: Tensor) -> Tensor:
    return torch.where(found > 0, wanted / found, torch.zeros_like(wanted))


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
        # potential of the way round, between where it pays at its ends and at its start
        low = (self.c - g[:, :, None] + self.absent_q).amin(1)
        high = -(self.r - f[:, :, None] + self.absent_p).amin(1)
        self.h = self._best_middle(torch.minimum(low, high), torch.maximum(low, high))
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

    def _best_middle(self, low: Tensor, high: Tensor) -> Tensor:
        """h of the greatest lower bound, by ternary search of a concave function."""
        for _ in range(20):
            third = (high - low) / 3
            left, right = low + third, high - third
            rising = self._lowered(left) < self._lowered(right)
            low, high = torch.where(rising, left, low), torch.where(rising, high, right)
        return 0.5 * (low + high)

    def lowered_base(self) -> Tensor:
        """Lower bound of the cost from the base potentials, ``(problems, targets, sources)``."""
        return self._lowered(self.h).reshape(self.shape)

    def through(self) -> Tensor:
        """Cost with all mass through u → v."""
        return ((self.p * self.r).sum(1) + (self.q * self.c).sum(1)).reshape(self.shape)

    def _to(self, v: Tensor) -> Tensor:
        """K_e v of every edge."""
        return self.kernel @ v + self.a * (self.b * v).sum(1, keepdim=True)

    def _from(self, u: Tensor) -> Tensor:
        """K_eᵀ u of every edge."""
        return self.kernel.transpose(1, 2) @ u + self.b * (self.a * u).sum(1, keepdim=True)

    def iterate(self, iterations: int) -> tuple[Tensor, Tensor]:
        """Sinkhorn scalings u ``(problems, n, edges)`` and v ``(problems, m, edges)``."""
        v = self.q.expand_as(self.b).clone()
        u = _ratio(self.p.expand_as(self.a), self._to(v))
        for _ in range(iterations):
            v = _ratio(self.q.expand_as(self.b), self._from(u))
            u = _ratio(self.p.expand_as(self.a), self._to(v))
        return u, v

    def dual(self, u: Tensor) -> Tensor:
        """Value of the potentials of ``u`` made feasible by a c-transform."""
        scale = _ratio(u, self.p.expand_as(u)).clamp(1e-300, 1e300).log() * self.epsilon
        f = torch.where(self.p > 0, self.f[:, :, None] + scale, torch.full_like(u, -1e300))
        g = min_plus(-f.transpose(1, 2), self.batch.cost).transpose(1, 2)
        round_way = (self.r - f).amin(1, keepdim=True)
        g = torch.minimum(g, round_way + self.c)
        value = (self.p * torch.where(self.p > 0, f, torch.zeros_like(f))).sum(1)
        value = value + (self.q * torch.where(self.q > 0, g, torch.zeros_like(g))).sum(1)
        return torch.nan_to_num(value, nan=-torch.inf).reshape(self.shape)

    def rounded(self, u: Tensor, v: Tensor) -> Tensor:
        """Cost of the plan of (u, v), scaled down to the masses, the rest added as a product."""
        u = u * _ratio(self.p.expand_as(u), u * self._to(v)).clamp_max(1.0)
        v = v * _ratio(self.q.expand_as(v), v * self._from(u)).clamp_max(1.0)
        sent, taken = u * self._to(v), v * self._from(u)
        missing_p = (self.p - sent).clamp_min(0.0)
        missing_q = (self.q - taken).clamp_min(0.0)
        cost = self.batch.cost
        plain = (u * ((self.kernel * cost) @ v)).sum(1)
        leaving, arriving = (u * self.a).sum(1), (v * self.b).sum(1)
        bent = (u * self.a * self.r).sum(1) * arriving + (v * self.b * self.c).sum(1) * leaving
        total = missing_p.sum(1).clamp_min(1e-300)
        left = (missing_p * (cost @ missing_q)).sum(1) / total
        return torch.nan_to_num(plain + bent + left, nan=torch.inf).reshape(self.shape)
