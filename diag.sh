export PATH=/work/x/dev/.venv/bin:$PATH PYTHONPATH=/work/x/frozen3/src:/work/x/frozen3
taskset -c 1 nice -n 4 timeout 900 ptde diagnose /work/x/m150 --quick --episodes 256 --devices 1 > /work/x/logs/diag.log 2>&1
