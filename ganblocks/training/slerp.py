"""Spherical linear interpolation between latents."""

from __future__ import annotations

import torch
from torch import Tensor

FLAT = 1e-9
"""Sine of the angle between two directions below which they are parallel or opposite, in float64."""


def slerp(first: Tensor, last: Tensor, t: Tensor) -> Tensor:
    """Return the points [T, Z], in the type of ``first``, at ``t`` [T] in [0, 1] of the arc from ``first`` to ``last`` [Z].

    With unit vectors a and b of the ends, the angle θ between them and c, the unit vector orthogonal to a in the plane of both:

        slerp(t) = ((1 - t) |first| + t |last|) (cos(tθ) a + sin(tθ) c)

    which for ends of equal length is Shoemake's sin((1 - t)θ)/sin θ · first + sin(tθ)/sin θ · last. The angle grows at constant
    speed, and the length goes linearly from one end's to the other's. So all points are about as long as normal latents are;
    those of the straight line are shorter, and such latents are hardly ever drawn. The ends are ``first`` and ``last`` bit for
    bit.

    Between opposite vectors all great circles are equally short. The one towards the axis in which they are smallest is taken,
    whichever of them is first. In one dimension, and from or to a vector of zeros, there is no arc but the straight line.

    Source: Shoemake (1985), "Animating Rotation with Quaternion Curves", SIGGRAPH; for latents White (2016), "Sampling
    Generative Networks", arXiv:1609.04468, section 2.1.
    """
    lengths = torch.stack([first, last]).double().norm(dim=1)
    a, b = _directions(first.double(), last.double())
    angle = 2 * torch.atan2((a - b).norm(), (a + b).norm())  # accurate for all angles, unlike the arc cosine
    turned = t.double()[:, None] * angle
    along = torch.cos(turned) * a + torch.sin(turned) * _orthogonal(a, b)
    points: Tensor = (torch.lerp(lengths[0], lengths[1], t.double())[:, None] * along).to(first.dtype)
    points[t == 0], points[t == 1] = first, last.to(first.dtype)
    return points


def _directions(first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the vectors [Z] at length 1; one of zeros gets the direction of the other."""
    a, b = (torch.nn.functional.normalize(end, dim=0, eps=1e-300) for end in (first, last))
    return (a if a.any() else b), (b if b.any() else a)


def _orthogonal(a: Tensor, b: Tensor) -> Tensor:
    """Return the unit vector [Z] orthogonal to ``a`` on the side of ``b``; zeros where there is none."""
    across = b - (b @ a) * a
    if across.norm() >= FLAT:
        return torch.nn.functional.normalize(across, dim=0)
    if b @ a > 0 or len(a) == 1:
        return torch.zeros_like(a)
    axis = torch.zeros_like(a)
    axis[a.abs().argmin()] = 1
    across = axis - (axis @ a) * a
    return torch.nn.functional.normalize(across, dim=0)
