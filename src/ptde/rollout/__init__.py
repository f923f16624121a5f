"""Rolling teams through worlds: collection, tests, and a training's iterations."""
