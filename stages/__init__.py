"""The stages of the pipeline, each a command: `python -m stages.<name>`."""

import gc
import sys

# Python puts "-m" here while it looks for the command, so not where a program imports the package. What a stage's
# libraries make when they are imported stays to the end; looking for garbage in it, again and again, took a fifth of a
# stage's start. `stages.errors.run` turns the collector on for the work.
if sys.argv[:1] == ["-m"]:
    gc.disable()
