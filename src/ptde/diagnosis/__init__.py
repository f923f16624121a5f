"""What a student lacks of its teacher, and which option to try: `ptde diagnose`.

Students that know ever less are fitted beside the run's own, all on the same teacher, and
compared in what their teams then reach. What z they explain says little about that: much
of z does not matter for what is done.
"""

from ptde.diagnosis.found import FILE, PICTURE, Diagnosis
from ptde.diagnosis.ladder import diagnose

__all__ = ["FILE", "PICTURE", "Diagnosis", "diagnose"]
