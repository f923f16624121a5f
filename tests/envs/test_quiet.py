import subprocess
import sys

CODE = """
import contextlib, io, sys
out, err = io.StringIO(), io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    from ptde.envs.smax import maps
    maps()
    kept = sys.stdout is out, sys.stderr is err
print(kept, repr(out.getvalue() + err.getvalue()), sys.__stderr__ is sys.stderr)
"""


def test_importing_a_world_says_nothing_and_leaves_both_streams_where_they_are():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.stdout == "(True, True) '' True\n", done.stderr
