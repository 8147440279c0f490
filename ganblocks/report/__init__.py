"""Self-contained HTML pages: no outside address, readable from the disk, by keyboard, on a phone and in the dark."""
