#!/usr/bin/env bash
# torch 2.14.1: the first addition on the meta device imports torch's compiler, 893 modules, sympy among them.
#
# Packages: torch 2.14.1, numpy 2.4.6.
# Why it surprises: the meta device is for shapes without work: a tool builds a network on it to check sizes or to count
#   parameters before anything is allocated. Creating tensors and modules there is cheap. But many of its kernels are Python
#   functions that are marked "do not compile", and the mark is resolved by importing torch._dynamo at the first call. In a
#   process that computes nothing this one addition takes nearly as long as `import torch`. It does not show in a profile of the
#   network: whichever operation comes first pays.
#
# Output (Linux x86_64, CPU; seconds vary):
#   torch._dynamo after import torch: no; after creating a layer on meta: no; after x + x on meta: yes
#   modules imported by x + x: 893, sympy among them: yes
#   seconds: import torch 1.7, the first x + x 1.4, the second 0.0002
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys
import time

start = time.perf_counter()
import torch

imported = time.perf_counter() - start
seen = ["torch._dynamo" in sys.modules]
torch.nn.Linear(2, 2, device="meta")
x = torch.empty(2, device="meta")
seen.append("torch._dynamo" in sys.modules)
before, seconds = set(sys.modules), []
for _ in range(2):
    start = time.perf_counter()
    x + x
    seconds.append(time.perf_counter() - start)
seen.append("torch._dynamo" in sys.modules)
new = set(sys.modules) - before
words = ["yes" if there else "no" for there in seen]
print(f"torch._dynamo after import torch: {words[0]}; after creating a layer on meta: {words[1]}; after x + x on meta: {words[2]}")
print(f"modules imported by x + x: {len(new)}, sympy among them: {'yes' if 'sympy' in new else 'no'}")
print(f"seconds: import torch {imported:.2g}, the first x + x {seconds[0]:.2g}, the second {seconds[1]:.1g}")
assert seen == [False, False, True], seen
assert len(new) > 100 and seconds[0] > 10 * seconds[1], (len(new), seconds)
print("behaviour unchanged")
PY
