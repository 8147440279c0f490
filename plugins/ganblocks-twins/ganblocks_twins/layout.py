"""The positions that the two textures of an image may have."""

from __future__ import annotations

from attrs import frozen


@frozen
class Layout:
    """Two squares of ``cells`` × ``cells`` cells, one near the left edge of the image and one near the right edge.

    Each begins at one of ``heights`` rows around the middle, and at one of ``slack`` + 1 columns; the same cell of both is at
    least ``distance`` pixels apart.
    """

    size: int
    """Height and width of the image."""
    cells: int
    cell: int
    """Pixels along the side of a cell."""
    distance: int
    heights: int

    @property
    def side(self) -> int:
        """Pixels along the side of a texture."""
        return self.cells * self.cell

    @property
    def slack(self) -> int:
        """Largest number of columns between a texture and its edge."""
        return (self.size - self.side - self.distance) // 2

    @property
    def top(self) -> int:
        """The first row at which a texture may begin."""
        return (self.size - self.side - self.heights + 1) // 2

    def error(self) -> str:
        """Return why the textures do not fit into the image; empty if they do."""
        if not self.side <= self.distance <= self.size - self.side:
            rule = f"textures of {self.side} pixels in the halves of {self.size} pixels"
            return f"{rule} are from {self.side} to {self.size - self.side} pixels apart, not {self.distance}"
        if self.top < 0:
            return f"a texture of {self.side} pixels cannot begin at more than {self.size - self.side + 1} of {self.size} rows"
        return ""
