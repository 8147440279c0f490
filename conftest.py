"""For every test: one thread per worker, no files in the user's cache folder, and hypothesis' profiles.

Usually every run tries the same examples, so that who changes nothing sees what others saw, slow machines included. Other
examples each time, ten times as many: ``pytest --hypothesis-profile=deep``.
"""

from __future__ import annotations

import os

import torch
from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None)
if settings.get_current_profile_name() == "default":
    settings.load_profile("steady")
torch.set_num_threads(1)  # two workers with two threads each would only stand in each other's way
os.environ["GANBLOCKS_CACHE"] = "off"
