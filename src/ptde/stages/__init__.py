"""The two stages of PTDE, and the pipeline that joins them."""
