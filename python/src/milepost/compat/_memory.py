"""MemoryTracker: the memory of a running product, read from outside by `milepost collect memory`."""

from __future__ import annotations

import atexit
import logging
import subprocess
import threading
import time
from typing import Any, Dict, Optional

from . import _report

_LOG = logging.getLogger("milepost")
#: How soon the end of monitoring is noticed, in seconds.
_NOTICED_S = 0.1
#: How long a collector may take to end, in seconds.
_ENDS_WITHIN_S = 5.0
#: The shortest interval of `milepost collect memory`, in seconds.
_INTERVAL_MIN_S = 0.01


class MemoryTracker:
    """Has the memory of the process of this name read, and of all that descends from it: never that of this process."""

    def __init__(self, process_name: str = "nix-for-humanity") -> None:
        self.process_name = process_name
        #: Set to False to end the monitoring, or call `stop_monitoring`.
        self.monitoring = False
        self.monitor_thread: Optional[threading.Thread] = None

    def start_monitoring(self, interval: float = 10) -> None:
        """Reads the memory every `interval` seconds from now on, in the background. A process that is not there yet is waited for."""
        if self.monitor_thread is not None and self.monitor_thread.is_alive():
            if self.monitoring:
                return
            self.monitor_thread.join()
        self.monitoring = True
        self.monitor_thread = threading.Thread(target=self._monitor_loop, args=(interval,), daemon=True)
        self.monitor_thread.start()
        # A daemon thread ends with the process; what it started would not.
        atexit.register(self.stop_monitoring)

    def stop_monitoring(self) -> None:
        """Ends the monitoring, and returns once the last reading is recorded."""
        self.monitoring = False
        thread = self.monitor_thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(2 * _ENDS_WITHIN_S)
        atexit.unregister(self.stop_monitoring)

    def _monitor_loop(self, interval: float) -> None:
        every = max(interval, _INTERVAL_MIN_S)
        while self.monitoring:
            try:
                self._collect(every)
            except Exception as error:
                _LOG.warning("memory is not read: %s", error)
            # It ended by itself: the process is not there, or not any more.
            again = time.monotonic() + max(every, 1.0)
            while self.monitoring and time.monotonic() < again:
                time.sleep(_NOTICED_S)

    def _collect(self, every: float) -> None:
        command = _report.command("collect", "memory", "--process", self.process_name, "--every", f"{round(every * 1000)}ms")
        quiet = subprocess.DEVNULL
        collector = subprocess.Popen(command, env=_report.environment(), stdin=quiet, stdout=quiet, stderr=subprocess.PIPE)
        try:
            while self.monitoring and collector.poll() is None:
                time.sleep(_NOTICED_S)
        finally:
            if collector.poll() is None:
                collector.terminate()
            try:
                _, said = collector.communicate(timeout=_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                collector.kill()
                _, said = collector.communicate()
        if collector.returncode != 0:
            _LOG.debug("memory of %s is not read: %s", self.process_name, said.decode("utf-8", "replace").strip())

    def get_memory_stats(self) -> Optional[Dict[str, Any]]:
        """`current`, `average` and `peak` in MB (1,000,000 bytes), `stable` (it varied by less than 50 MB) and `trend`
        (`increasing` or `stable`) of the newest run of readings; None where there is none.
        """
        memory = _report.read()["memory"]
        if memory is None:
            return None
        return {
            "current": memory["current_mb"],
            "average": memory["average_mb"],
            "peak": memory["peak_mb"],
            "stable": memory["stable"],
            "trend": memory["trend"],
        }
