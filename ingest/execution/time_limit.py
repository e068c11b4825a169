"""
Batches with a time limit for each file, where nothing else can end a call.

The worker pool of `ingest.workers` kills a worker whose file takes too long. Any other executor can
neither do that nor report when a call began, as calls may wait in a queue of its own. So the time
is measured where the batch runs: in a thread beside the caller's. A file that never returns keeps
that thread, and the caller returns the result without waiting for it.
"""

import threading
import time
from collections.abc import Sequence

from ingest.execution.batch import (
    BatchResult,
    BatchResultBuilder,
    Packed,
    process_files,
)
from ingest.outcome import PathProcessor


def run_batch_in_time(
    process: PathProcessor, root: str, files: Sequence[Packed], budget: float, timeout: float
) -> BatchResult:
    """
    Process `files` like `run_batch`; return without the rest once one takes `timeout` seconds.

    That file is an error of the result. Its thread goes on; what it returns later is discarded.
    """
    builder = BatchResultBuilder()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            process_files(process, root, files, budget, builder)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            raised.append(error)

    # A daemon: a file that never returns must not keep the process from exiting.
    thread = threading.Thread(target=work, name="ingest-file", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(max(0.0, builder.last_change + timeout - time.monotonic()))
        if thread.is_alive() and builder.time_out(files, timeout):
            break
    if raised:
        raise raised[0]
    return builder.close()
