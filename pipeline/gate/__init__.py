"""The gate: may a new model replace the champion?"""

from pipeline.gate.decision import decide as decide
