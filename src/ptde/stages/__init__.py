"""The two stages of PTDE; ``ptde.pipeline`` joins them."""
