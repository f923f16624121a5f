"""Network blocks. All work over any leading axes; weights start as in PyTorch."""
