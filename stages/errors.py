"""The one error that users are meant to read, and the way a command ends on it."""

import gc
import sys
from collections.abc import Callable


class PipelineError(Exception):
    """Says what was expected, what was found, where, and what to do; shown without a traceback."""


def run(main: Callable[[], int | None]) -> None:
    """Run a command's `main` and exit with its code; 1 and one message where it could not do its work."""
    gc.freeze()  # what was imported stays, and need not be looked at again
    gc.enable()
    try:
        code = main()
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        # A full disk or a missing permission: the system's own words name the file and the reason.
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    finally:
        gc.freeze()  # the system takes everything back faster than Python, which would look at each object at the exit
    sys.exit(code)
