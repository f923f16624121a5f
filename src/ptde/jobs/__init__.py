"""Work that can be resumed: its one loop, teaching, distilling, and their records."""
