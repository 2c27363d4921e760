"""The suspicion that a feature is made from the target, as parts that add up to it, or its value in another unit.

Such a feature is not known when a prediction is needed. `ops.schema infer` names features that reproduce the target;
here the model's own fit on unseen rows tells.
"""

from pipeline.contract.description import Training

# From this R² on: measured data have more noise than this leaves.
SUSPICIOUS_R2 = 0.9999


def out_of_fold_r2(training: Training) -> float | None:
    """Return the share of the target's variance that out-of-fold predictions explain; None where it never varies."""
    return 1 - (training.cv_rmse / training.target_std) ** 2 if training.target_std > 0 else None


def question(training: Training) -> str:
    """Return a sentence where R² is suspicious, else an empty text."""
    r2 = out_of_fold_r2(training)
    if r2 is None or r2 < SUSPICIOUS_R2:
        return ""
    return (
        f"out-of-fold R² is {r2:.5f}: is a feature made from the target? If so, it is not known when a prediction is "
        "needed: leave it out with features.exclude in params.yaml"
    )
