import os
from importlib.metadata import version

# Tests run each program a few times: compile fast rather than well.
FAST = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if version("jaxlib").startswith("0.10."):  # a flag that XLA does not know ends the process
    FAST += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FAST}"

import tempfile

import jax
import pytest

from ptde.paths import cache_folder
from ptde.rollout.cache import use_compilation_cache

jax.config.update("jax_num_cpu_devices", 2)  # for the tests of programs that are divided
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()  # no key of the user's
use_compilation_cache(cache_folder() / "tests")  # not the user's
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 4_096)


@pytest.fixture
def getkey():
    """Fresh keys, the same in every run of a test."""
    keys = iter(jax.random.split(jax.random.key(5678), 1000))
    return lambda: next(keys)
