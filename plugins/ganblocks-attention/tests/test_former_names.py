"""Recipes and runs of before this plugin was made of two name those as owners."""

from __future__ import annotations

import pytest

from ganblocks import discover


@pytest.mark.parametrize("name", ["self_attention:self_attention", "self_attention:none", "attentions:linear"])
def test_a_former_owner_still_leads_to_the_component(name: str) -> None:
    registry = discover()
    assert registry.get("attention", name) is registry.get("attention", name.partition(":")[2])
