"""What holds for all tests that start programs."""

import signal


def pytest_configure() -> None:
    """
    SIGINT interrupts as in a terminal, however the tests were started.

    A shell has its background jobs ignore it, and programs that they start inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
