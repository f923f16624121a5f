"""Work that can be resumed: the one loop of it, teaching, distilling, and what they keep."""
