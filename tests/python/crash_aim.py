"""kill -9 just when the newest payout is in a state that lasts some thousandths of a second.

    crash_aim.py DATA_DIR STATE PID SECS

A process of its own: the miners of the crash test keep its interpreter too busy to hit such a moment.
"""

import contextlib
import os
import signal
import sqlite3
import sys
import time

from journals import last_state, open_running


def aim(data_dir, state, pid, secs):
    """Kills the process when the newest payout is in this state, or when the time is up."""
    end = time.monotonic() + secs
    with contextlib.closing(open_running(data_dir)) as db:
        while time.monotonic() < end:
            with contextlib.suppress(sqlite3.OperationalError):
                if last_state(db) == state:
                    break
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    aim(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
