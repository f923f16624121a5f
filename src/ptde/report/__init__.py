"""Reports for people: tables, curves and replays."""
