"""The students that most tests make: the paper's, which take little to compile."""

from ptde.algos.finetune import FinetuneConfig

PAPERS = {"network": "mlp", "objective": "z", "data": "teacher", "share": 0.0}
"""The options of the student of Paper Sec. 3.3."""
NO_STAGE_3 = FinetuneConfig(share=0.0)
