"""The error that users read, and how a command ends with it."""

import sys
from collections.abc import Callable


class PipelineError(Exception):
    """An error that says what was expected, what was found, where, and what to do; shown without a traceback."""


def run_command(main: Callable[[], int | None]) -> None:
    """Run a command's `main` and exit with its code; after an error for users, print one line and exit with 1."""
    try:
        code = main()
    except (PipelineError, OSError) as error:
        # On a full disk or without permission, the system's own message names the file and the reason.
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    sys.exit(code)
