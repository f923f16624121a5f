"""Network blocks, over any leading axes; weights start as in PyTorch."""
