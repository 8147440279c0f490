"""A package, so that no other package of this name on the path is imported instead (torch-fidelity installs one)."""
