"""Methods x worlds x seeds: what to run, running it, and what came out."""
