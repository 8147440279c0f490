"""For every test: one thread per worker, and a deeper profile (``pytest --hypothesis-profile=deep``)."""

from __future__ import annotations

import torch
from hypothesis import settings

settings.register_profile("deep", max_examples=1000, deadline=None)
torch.set_num_threads(1)  # two workers with two threads each would only stand in each other's way
