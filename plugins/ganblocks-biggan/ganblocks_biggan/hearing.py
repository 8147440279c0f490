"""Whether a norm listens to its condition."""

from __future__ import annotations

import torch

from ganblocks import Norm, Site


def hears(norm: Norm, site: Site, width: int) -> bool:
    """Whether what ``norm`` gives at ``site`` depends on a vector of ``width``: a graph without numbers tells."""
    with torch.device("meta"), torch.enable_grad():
        condition = torch.zeros(2, width, requires_grad=True)
        y = site.build(norm)(torch.zeros(2, site.channels, site.height, site.width), condition)
    if not y.requires_grad:
        return False
    return torch.autograd.grad(y.sum(), condition, allow_unused=True)[0] is not None
