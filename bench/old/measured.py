"""Runs a command, and prints what it took with all its processes as one line of JSON: seconds, CPU seconds, the peak memory of the largest."""

import json
import resource
import subprocess
import sys
import time

started_at = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
seconds = time.monotonic() - started_at
used = resource.getrusage(resource.RUSAGE_CHILDREN)
# In KiB on Linux, in bytes on macOS.
peak = used.ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)
print(json.dumps({'seconds': seconds, 'cpuSeconds': used.ru_utime + used.ru_stime, 'peakMiB': round(peak)}))
sys.exit(code)
