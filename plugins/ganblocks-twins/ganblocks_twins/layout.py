"""Where the two textures of an image may stand."""

from __future__ import annotations

from attrs import frozen


@frozen
class Layout:
    """Two squares of ``cells`` × ``cells`` cells, one near the left edge of the image and one near the right edge.

    Each begins at one of ``heights`` rows about the middle, and at one of ``slack`` + 1 columns; the same cell of both is never
    nearer than ``distance`` pixels.
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
        """By how many columns a texture may stand away from its edge."""
        return (self.size - self.side - self.distance) // 2

    @property
    def top(self) -> int:
        """The highest row that a texture may begin at."""
        return (self.size - self.side - self.heights + 1) // 2

    def complaint(self) -> str:
        """Why the textures cannot stand in the image; empty where they can."""
        if not self.side <= self.distance <= self.size - self.side:
            rule = f"textures of {self.side} pixels in the halves of {self.size} pixels"
            return f"{rule} are from {self.side} to {self.size - self.side} pixels apart, not {self.distance}"
        if self.top < 0:
            return f"a texture of {self.side} pixels cannot begin at more than {self.size - self.side + 1} of {self.size} rows"
        return ""
