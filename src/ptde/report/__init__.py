"""What a person looks at: tables, curves, replays."""
